/* A stand-in for cuDNN 9 and cuBLASLt, for tests/test_cudnn*.c: it checks how it is called, keeps every descriptor with its
 * attributes, fails the call it is told to, and computes what the descriptors describe, on the host. Device memory is reached
 * through the driver that the test names. Calls that destroy something do so even when they are told to fail. */
#ifndef OSPREY_FAKE_NVIDIA_H
#define OSPREY_FAKE_NVIDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- For the test, by dlsym ------------------------------------------------------------------------- */

/* The library whose memory and streams are used: "build/libcuda-ptx.so". False: it cannot be opened. */
bool fake_nvidia_driver(const char *path);

/* The n-th call from now on (from 1; 0: none) returns `code`, and calls are counted anew. */
void fake_nvidia_fail_at(uint64_t n, int code);
uint64_t fake_nvidia_calls(void);
const char *fake_nvidia_call_name(uint64_t n); /* NULL: there was no such call */

int fake_nvidia_alive(void);                            /* handles, descriptors and the like that were made and not destroyed */
const char *fake_nvidia_misuse(void);                   /* what was wrong with the first wrong call; "": nothing. Forgets it. */
void fake_nvidia_versions(size_t cudnn, size_t cublas); /* that they say they are */

/* The engines of the three heuristics: a bit for each row of fake_engines (cudnn_run.c), asked in that order. */
void fake_nvidia_offer(unsigned a, unsigned b, unsigned fallback);
int fake_nvidia_engine(void);            /* the row that ran last; -1: none did */
int fake_nvidia_operations(void);        /* of the graph that ran last */
uint64_t fake_nvidia_products(int tf32); /* that cuBLASLt has run, with the tensor cores or without */

/* ---- Between its files ------------------------------------------------------------------------------ */

/* Counts a call; what it shall return: 0, or the code it was told to fail with. */
int fake_call(const char *name);
void fake_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* After all work that is in the stream. False: the driver refuses, which is a wrong call. */
bool fake_download(void *stream, float *to, const void *from, size_t floats);
bool fake_upload(void *stream, void *to, const float *from, size_t floats);

extern size_t fake_versions[2]; /* cuDNN's, cuBLAS's */
void fake_made(int difference); /* handles and descriptors alive */

float fake_tf32(float x); /* rounded to 10 bits of mantissa, ties away from zero */

enum { FAKE_F32, FAKE_TF32, FAKE_WINOGRAD, FAKE_LOOSE, FAKE_ROUNDED, FAKE_UNSUPPORTED, FAKE_LARGE, FAKE_WORKSPACE, FAKE_ENGINES };

#endif
