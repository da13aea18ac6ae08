/* SPDX-License-Identifier: MIT */
/*
 * seccomp.h - around a filter of system calls that the program sets for itself
 *
 * Afterwards new memory is small (reason: seccomp), and what is huge stays so: a part of
 * it isn't cut off any more, as what the kernel holds of it for I/O can't be asked. A fork
 * makes it small before.
 */
#ifndef HRESV_CORE_SECCOMP_H
#define HRESV_CORE_SECCOMP_H

#include <stdbool.h>

/*
 * May the filter that @program (a struct sock_fprog of the program's; NULL: strict mode) is
 * kill for a call of ours? Most lists of what is forbidden don't, and change nothing.
 */
bool seccomp_may_kill(const void *program);

/* Before the call: what has to be read is read, and a thread of ours that copies ends. */
void seccomp_prepare(void);

/* A filter is set. After prctl() and seccomp() came back and the filter is in force: no call between. */
void seccomp_obey(void);

#endif
