/* SPDX-License-Identifier: MIT */
/*
 * proc.h - /proc as somebody else's process shows it, under a root
 *
 * Processes end while they are read, hide what they are, and call themselves what
 * they like: every function says -ENOENT or -ESRCH for the first, -EACCES or -EPERM
 * for the second, and passes names on as they are (screen.h and json.h clean them).
 */
#ifndef HRESV_TOOLS_PROC_H
#define HRESV_TOOLS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/mem.h"
#include "core/base/text.h"

/*
 * What stands before every path read of /proc and /sys: hresv --root DIR, a host's
 * root mounted into a container, or a test's tree. "" is this machine. The facts of
 * core/facts/ take the same string.
 */
const char *proc_root(void);
void proc_set_root(const char *directory);

/*
 * Reads /proc/PID/@name whole, whatever its length; *blob may hold something from
 * before, which is lost. -errno of open(2) or read(2), -ENOMEM: then it is empty.
 */
int proc_read(pid_t pid, const char *name, struct blob *blob);

/* A pid as people type it. 0; -EINVAL: it is none. */
int proc_pid_of(const char *text, pid_t *ret_pid);

/* Every process there is, ascending. 0 or -errno; free(3) what it returns. */
int proc_list(pid_t **ret_pids, size_t *ret_n);

struct proc_status {
	char name[64];		/* as the kernel escapes it; cut */
	uid_t uid;		/* real */
	uint64_t hugetlb_bytes;	/* mapped and there, all sizes; shared ones count in each */
	uint64_t rss_bytes;
	pid_t own_pid;		/* as it sees itself, in its namespace; 0 unknown */
	bool kernel;		/* has no memory of its own: a kernel thread, or a zombie */
};

/* From /proc/PID/status, with @scratch to read it into. 0 or -errno. */
int proc_status(pid_t pid, struct blob *scratch, struct proc_status *ret_status);

/* When it started, in clock ticks since boot: with the pid, who it is. 0 or -errno. */
int proc_started(pid_t pid, struct blob *scratch, uint64_t *ret_ticks);

#endif
