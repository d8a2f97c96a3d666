/* Handles. A client's pointer is never followed: it is taken apart, and its place in one table must hold an object of that kind
 * and age. */
#include "driver.h"

#include <stdlib.h>

/* A handle's bits: 0xc5, kind (8), generation (24), index + 1 (24). No user address begins with 0xc5 on any 64-bit machine. */
enum { INDEX_BITS = 24, GENERATION_BITS = 24 };
static const uint64_t TAG = 0xc5ull << 56;

struct slot {
    struct object *object; /* NULL: free */
    uint32_t generation, next_free;
};
static struct slot *slots;
static uint32_t count, room, first_free = UINT32_MAX;
static uint64_t alive[KINDS];

static bool new_slot(uint32_t *index)
{
    if (first_free != UINT32_MAX) {
        *index = first_free;
        first_free = slots[first_free].next_free;
        return true;
    }
    if (count == room) {
        uint32_t more = room ? 2 * room : 64;
        struct slot *moved = more < 1u << INDEX_BITS ? realloc(slots, more * sizeof *slots) : NULL;
        if (!moved)
            return false;
        slots = moved;
        room = more;
    }
    slots[count] = (struct slot){0};
    *index = count++;
    return true;
}

bool drv_object_add(struct object *object, enum kind kind, struct context *context)
{
    uint32_t index = 0;
    if (!new_slot(&index))
        return false;
    struct slot *slot = &slots[index];
    slot->object = object;
    slot->generation = (slot->generation + 1) & ((1u << GENERATION_BITS) - 1);
    object->kind = kind;
    object->context = context;
    object->handle = (void *)(uintptr_t)(TAG | (uint64_t)kind << 48 | (uint64_t)slot->generation << INDEX_BITS | (index + 1));
    object->next = NULL;
    object->link = NULL;
    if (context) {
        object->next = context->objects;
        object->link = &context->objects;
        if (object->next)
            object->next->link = &object->next;
        context->objects = object;
    }
    alive[kind]++;
    return true;
}

void drv_object_remove(struct object *object)
{
    uint32_t index = (uint32_t)((uintptr_t)object->handle & ((1u << INDEX_BITS) - 1)) - 1;
    if (object->link) {
        *object->link = object->next;
        if (object->next)
            object->next->link = object->link;
    }
    slots[index].object = NULL;
    slots[index].next_free = first_free;
    first_free = index;
    alive[object->kind]--;
}

static bool take_apart(const void *handle, enum kind kind, uint32_t *index, uint32_t *generation)
{
    uint64_t bits = (uintptr_t)handle;
    *index = (uint32_t)(bits & ((1u << INDEX_BITS) - 1)) - 1;
    *generation = (uint32_t)(bits >> INDEX_BITS) & ((1u << GENERATION_BITS) - 1);
    return bits >> 48 == (TAG >> 48 | (uint64_t)kind) && *index < count;
}

void *drv_object(const void *handle, enum kind kind)
{
    uint32_t index, generation;
    if (!take_apart(handle, kind, &index, &generation) || slots[index].generation != generation)
        return NULL;
    return slots[index].object;
}

bool drv_was(const void *handle, enum kind kind)
{
    uint32_t index, generation;
    if (!take_apart(handle, kind, &index, &generation))
        return false;
    return generation < slots[index].generation || (generation == slots[index].generation && !slots[index].object);
}

uint64_t drv_count(enum kind kind) { return alive[kind]; }
