/* SPDX-License-Identifier: MIT */
/*
 * pool.h - the machine's huge page pools, borrowed and given back
 *
 * The pools are one for the whole machine, so whoever sets them holds one lock,
 * a flock on $HRESV_POOL_LOCK or /run/lock/hresv-pool.lock. With HRESV_POOL_LOCKED
 * in the environment an ancestor holds it (the runner does, for each file) and it
 * is not taken again. The lock is kept by the harness until the pools are put back,
 * even if the test was killed.
 *
 * After a test that held the lock, pages in use, reserved and surplus must be what
 * they were when it took it.
 */
#ifndef HRESV_TESTS_HARNESS_POOL_H
#define HRESV_TESTS_HARNESS_POOL_H

#include <stdbool.h>
#include <stddef.h>

/* Wait for the lock. Called again in one test, does nothing. */
void pool_lock(void);

/* Lock, set, read back. Skips the test without privilege or without the memory. */
void pool_set(size_t page_bytes, unsigned long pages);
void pool_set_overcommit(size_t page_bytes, unsigned long pages);

/* Counters now, in pages; SKIP if the kernel has no such size. */
unsigned long pool_total(size_t page_bytes);
unsigned long pool_free(size_t page_bytes);
unsigned long pool_resv(size_t page_bytes);
unsigned long pool_surplus(size_t page_bytes);
unsigned long pool_overcommit(size_t page_bytes);

/* The default huge page size, from /proc/meminfo; SKIP without huge pages. */
size_t pool_default_page_bytes(void);

/* The harness's. pool_check: false, and the reason, if the test left pages taken. */
bool pool_check(char *why, size_t bytes);
void pool_unlock(void);

#endif
