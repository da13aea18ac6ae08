/* SPDX-License-Identifier: MIT */
/*
 * thread.c - pthread_create(): a thread begins with its creator's mask
 *
 * What the creator believes blocked of SIGBUS and SIGSEGV (belief.h) is its thread's
 * too, or what attributes say; the kernel's mask doesn't tell. Where neither names
 * one this is libc's call.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "core/act/belief.h"
#include "core/act/front.h"
#include "core/base/mem.h"
#include "core/facts/conf.h"
#include "preload/call.h"
#include "preload/real.h"
#include "preload/signal.h"

static int (*real_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

void preload_thread_find(void)
{
	real_create = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
		(uintptr_t)real_behind("pthread_create");
}

struct start {
	void *(*run)(void *);
	void *arg;
	uint64_t believed;
};

static void *begin(void *arg)
{
	const struct start s = *(struct start *)arg;

	mem_pages_free(arg, mem_page_bytes());
	belief_begin(s.believed);
	return s.run(s.arg);
}

static uint64_t mask_of_thread(const pthread_attr_t *attr)
{
	sigset_t set;

	if (attr && pthread_attr_getsigmask_np(attr, &set) == 0) {
		if (sigismember(&set, SIGBUS) == 1)
			front_arm(SIGBUS);
		return signal_mask_of(&set) & FRONT_MASK;
	}
	return belief_at((uintptr_t)__builtin_frame_address(0));
}

HRESV_EXPORT int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr,
				void *(*run)(void *), void *arg)
{
	const struct conf *conf = conf_get();
	uint64_t believed = conf && conf->active ? mask_of_thread(attr) : 0;
	struct start *s;
	int err;

	/* Another library may start before us, one that is linked -z initfirst. */
	if (!real_create)
		preload_thread_find();
	if (!real_create)
		return EAGAIN;
	s = believed ? mem_pages(mem_page_bytes()) : NULL;
	if (!s)
		return real_create(ret_thread, attr, run, arg);
	*s = (struct start){ run, arg, believed };
	err = real_create(ret_thread, attr, begin, s);
	if (err)
		mem_pages_free(s, mem_page_bytes());
	return err;
}
