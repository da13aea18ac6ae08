/* SPDX-License-Identifier: MIT */
/*
 * segment.h - System V segments, rerouted to huge pages or guarded
 *
 * A segment is huge as a whole or small as a whole: other processes attach it,
 * with and without us, and must all see the same memory. It outlives the call
 * and its creator, so it is proven when it is made.
 *
 * Values and errors are those of shmget(2), shmat(2), shmdt(2), shmctl(2).
 * What differs from small pages and cannot be hidden: an attach address that is
 * not a multiple of the huge page size is EINVAL; the proof counts as an attach
 * in shm_atime and shm_lpid.
 */
#ifndef HRESV_CORE_SEGMENT_H
#define HRESV_CORE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

long segment_get(int key, size_t bytes, int flags);
long segment_attach(int id, uintptr_t at, int flags);
long segment_detach(uintptr_t at);
long segment_control(int id, int command, void *buf);


#endif
