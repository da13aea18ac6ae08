/* SPDX-License-Identifier: MIT */
/*
 * apart.c - a table of descriptors of its own, and room in it
 *
 * Pitfalls.
 * 1. /proc/self/fd is the program's table, not the thread's. Who asks for what is found
 *    there by its number asks the thread's: a number that is taken away must be of
 *    nothing that anybody looks for (inflight.c).
 * 2. A file that the program closes meanwhile lives until the thread is gone, as with a
 *    fork. So nobody is left behind: the caller waits as long as it takes.
 * 3. Behind a filter (seccomp) too: what is left otherwise is an error no small page would
 *    give, or in a fork's child death. Most filters refuse, and don't kill.
 */
#include "core/act/apart.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "core/act/inflight.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/base/thread.h"

#define CLOSE_RANGE_UNSHARE_FLAG 2
#define ROOM 3		/* one that writers are held by, a directory, a file of it */
#define FD_SEARCHED 65536	/* where nothing can be said of any of them */
#define LOOK_AGAIN_NS 1000000000u

/* Not on the caller's stack, as its argument isn't. */
struct errand {
	void (*step)(void *arg);
	void *arg;
	int err;
	struct thread thread;
};

/* From the lowest number on: those are the ones that any limit allows. */
static void make_room(void)
{
	for (int fd = 0, room = 0; room < ROOM && fd < FD_SEARCHED; fd++) {
		if (inflight_matters(fd))
			continue;
		sys_close(fd);
		room++;
	}
}

static void go(void *arg)
{
	struct errand *e = arg;

	/* Old kernels lack the one; the other is what filters forbid. */
	e->err = (int)sys_call(SYS_close_range, INT_MAX, INT_MAX, CLOSE_RANGE_UNSHARE_FLAG, 0, 0,
			       0);
	if (e->err == -ENOSYS)
		e->err = (int)sys_call(SYS_unshare, CLONE_FILES, 0, 0, 0, 0, 0);
	if (e->err)
		return;
	make_room();
	e->step(e->arg);
}

int apart_run(void (*step)(void *arg), void *arg)
{
	struct errand *e = mem_pages(sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->step = step;
	e->arg = arg;
	err = thread_start(&e->thread, go, e);
	if (!err) {
		while (!thread_wait(&e->thread, LOOK_AGAIN_NS))
			;
		err = e->err;
	}
	thread_free(&e->thread);
	mem_pages_free(e, sizeof(*e));
	return err;
}
