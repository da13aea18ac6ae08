/* SPDX-License-Identifier: MIT */
/*
 * front.h - our handlers of SIGBUS and SIGSEGV, in front of the program's own
 *
 * They are installed when first needed (front_arm) and never before: a process
 * without huge memory has none. From then on the program's action is kept here.
 * What the program is told, and what reaches its handlers, is as if ours were
 * not there:
 * - a fault that the net (rescue.h, writers.h) can mend is mended, unseen;
 * - any other reaches the program's handler with the same siginfo, context, mask
 *   and stack, or kills the process as it would have;
 * - SIGBUS and SIGSEGV are never really blocked, as a fault would then kill; a
 *   signal sent by somebody to a thread that believes it blocked stays pending.
 *
 * What differs and cannot be hidden: see docs/FORK.md.
 */
#ifndef HRESV_CORE_ACT_FRONT_H
#define HRESV_CORE_ACT_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/act/belief.h"
#include "core/base/sys.h"

/* Installs our handler of SIGBUS or SIGSEGV; false when the kernel refuses. */
bool front_arm(int number);

/*
 * rt_sigaction(2) as the program means it, for any signal. Masks are stripped of
 * fronted signals for the kernel, and whole again for the program.
 */
long front_action(int number, const struct sys_action *action, struct sys_action *ret_old);

/* Does its action's mask hold fronted signals that the kernel doesn't know of? */
bool front_has_noted(int number);

/*
 * For exec, which hands on what is ignored: which of the two the program ignores
 * while our handler is there; and the kernel ignores it really, or has our handler.
 */
uint64_t front_ignored(void);
void front_pass_on(int number, bool on);

/* In a fork child. */
void front_renew(void);
/* fork: nobody is half way through a change. */
void front_freeze(void);
void front_thaw(void);

#endif
