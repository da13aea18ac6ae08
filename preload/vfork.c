/* SPDX-License-Identifier: MIT */
/*
 * vfork.c - waiting until a child execs or ends, with the gate open
 *
 * The kernel would come back to the parent that late, and our gate stay closed: other
 * threads, and a child that waits for one of them, would stand before it for ever. So
 * the child is made without the flag, holds the end of a pipe that is closed at exec,
 * and the parent waits for that or for its end.
 *
 * A child that shares the table of descriptors (CLONE_FILES) can't hold an end alone:
 * the kernel waits for it, as ever.
 */
#include "preload/vfork.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

#include "core/base/fd.h"
#include "core/base/sys.h"

static struct fd_kept held = { .fd = -1 };	/* by a child, for its parent */

struct vfork vfork_begin(unsigned long *flags)
{
	struct vfork v = { -1, -1 };
	int fds[2];

	if (!(*flags & CLONE_VFORK) || (*flags & CLONE_FILES) || sys_pipe(fds) != 0)
		return v;
	*flags &= ~(unsigned long)CLONE_VFORK;
	v.read = fd_move_up(fds[0]);
	v.write = fd_move_up(fds[1]);
	return v;
}

void vfork_forget(void)
{
	if (held.fd >= 0)
		fd_give_up(&held);
	held.fd = -1;
}

void vfork_child(const struct vfork *v)
{
	vfork_forget();
	if (v->read < 0)
		return;
	sys_close(v->read);
	held = fd_mark(v->write);
}

void vfork_wait(struct vfork *v, pid_t pid)
{
	struct pollfd ends[] = { { .fd = v->read }, { .fd = -1, .events = POLLIN } };
	long child;

	if (v->read < 0)
		return;
	sys_close(v->write);
	child = pid > 0 ? sys_call(SYS_pidfd_open, pid, 0, 0, 0, 0, 0) : -ESRCH;
	if (child >= 0)
		ends[1].fd = (int)child;
	/* Gone and collected already: nobody to wait for. */
	while (child != -ESRCH && sys_call(SYS_ppoll, (long)ends, 2, 0, 0, 0, 0) == -EINTR)
		;
	if (child >= 0)
		sys_close((int)child);
	sys_close(v->read);
}
