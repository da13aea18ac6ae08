/* SPDX-License-Identifier: MIT */
/*
 * slack.c - one small range that is sixteen mappings to the kernel
 *
 * Pitfalls.
 * 1. To unmap it must never take another mapping: the range must end where the kernel's
 *    mappings end. So it is shared memory, which merges with no neighbour.
 * 2. What is needed at most, where mmap() has gone one beyond the limit: the new memory (2
 *    while it is put on its line), one more for what a userfaultfd or a fault handler
 *    splits off at either end, and mremap() wants six free besides.
 * 3. What was given up another thread may take. Then there is less to hold back next
 *    time, or nothing until slack_hold() is called again.
 */
#include "core/act/slack.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/base/mem.h"
#include "core/base/sys.h"

#define MAPPINGS 16
#define ENOUGH 12
#define TAKEN ((uintptr_t)1)
#define TAKEN_AGAIN_NS 20000

/* Where they are; TAKEN: a thread has given them up; 0: there are none. Atomic. */
static uintptr_t held;

static size_t bytes(void)
{
	return MAPPINGS * mem_page_bytes();
}

/* Every second page of another protection. 0: the kernel has no room for enough of them. */
static uintptr_t make(void)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
	long at = sys_mmap(0, bytes(), PROT_NONE, flags, -1, 0);
	size_t n = 1;

	if (sys_failed(at))
		return 0;
	while (n < MAPPINGS &&
	       sys_mprotect((uintptr_t)at + n * mem_page_bytes(), mem_page_bytes(), PROT_READ) == 0)
		n += 2;
	if (n >= ENOUGH)
		return (uintptr_t)at;
	sys_munmap((uintptr_t)at, bytes());
	return 0;
}

bool slack_hold(void)
{
	uintptr_t none = 0, at;

	if (__atomic_load_n(&held, __ATOMIC_RELAXED))
		return true;
	at = make();
	if (!at)
		return __atomic_load_n(&held, __ATOMIC_RELAXED) != 0;
	if (!__atomic_compare_exchange_n(&held, &none, at, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		sys_munmap(at, bytes());
	return true;
}

bool slack_take(void)
{
	uintptr_t at = __atomic_load_n(&held, __ATOMIC_RELAXED);

	while (at) {
		if (at == TAKEN) {
			sys_sleep_ns(TAKEN_AGAIN_NS);
			at = __atomic_load_n(&held, __ATOMIC_RELAXED);
		} else if (__atomic_compare_exchange_n(&held, &at, TAKEN, false, __ATOMIC_ACQUIRE,
						       __ATOMIC_RELAXED)) {
			sys_munmap(at, bytes());
			return true;
		}
	}
	return false;
}

void slack_drop(void)
{
	__atomic_store_n(&held, make(), __ATOMIC_RELEASE);
}

void slack_renew(void)
{
	if (__atomic_load_n(&held, __ATOMIC_RELAXED) == TAKEN)
		slack_drop();
}
