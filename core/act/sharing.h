/* SPDX-License-Identifier: MIT */
/*
 * sharing.h - does another process hold this page too?
 *
 * The kernel tells whether a page is mapped once: then a write needs no copy.
 * The answer "exclusive" stays true until this process forks again.
 */
#ifndef HRESV_CORE_ACT_SHARING_H
#define HRESV_CORE_ACT_SHARING_H

#include <stdbool.h>
#include <stdint.h>

enum sharing { SHARING_ABSENT, SHARING_EXCLUSIVE, SHARING_SHARED };

/* A descriptor for sharing_of(), or -errno; to be closed by the caller. */
int sharing_open(void);

/* What the kernel says of the page at @at; SHARING_SHARED when it says nothing. */
enum sharing sharing_of(int fd, uintptr_t at);

/* Is any private huge page of this process? *hint is the last answer, looked at first. */
bool sharing_any(int fd, uintptr_t *hint);

#endif
