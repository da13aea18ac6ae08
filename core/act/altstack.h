/* SPDX-License-Identifier: MIT */
/* altstack.h - which stack a program's signal handler runs on, called from ours */
#ifndef HRESV_CORE_ACT_ALTSTACK_H
#define HRESV_CORE_ACT_ALTSTACK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "core/base/sys.h"

/* Where the interrupted code's stack ended. */
uintptr_t altstack_interrupted(const ucontext_t *uc);

/* Does a handler of @action run on the stack we are on? */
bool altstack_stays(const struct sys_action *action, const ucontext_t *uc);

/* Calls it, and returns when it does. */
void altstack_call(const struct sys_action *action, int number, siginfo_t *info, void *context);

#endif
