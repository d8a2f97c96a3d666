/* A folder for one test, and small files in it; every failure fails the test. */
#ifndef OSPREY_TESTS_FOLDER_H
#define OSPREY_TESTS_FOLDER_H

char *folder_enter(void);              /* makes a folder and goes there; its name */
void folder_leave(const char *folder); /* it must be empty again */
int folder_count(void);

void folder_put(const char *path, const char *text);          /* writes a file */
void folder_assert_holds(const char *path, const char *text); /* up to 63 bytes */
void folder_assert_says(const char *words);                   /* osp_message() has these words */

#endif
