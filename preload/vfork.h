/* SPDX-License-Identifier: MIT */
/* vfork.h - CLONE_VFORK of a child with memory of its own */
#ifndef HRESV_PRELOAD_VFORK_H
#define HRESV_PRELOAD_VFORK_H

#include <stdbool.h>
#include <sys/types.h>

/* Both -1: the kernel does the waiting. */
struct vfork {
	int read, write;
};

/* Shall we wait in the kernel's stead? Takes the flag out of *@flags then. */
struct vfork vfork_begin(unsigned long *flags);

/* In the child; in the parent, once the gate is open: until the child execs or ends. */
void vfork_child(const struct vfork *v);
void vfork_wait(struct vfork *v, pid_t pid);

/* In any child: what its parent held for one who waits is not its own. */
void vfork_forget(void);

#endif
