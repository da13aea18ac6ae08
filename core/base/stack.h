/* SPDX-License-Identifier: MIT */
/* stack.h - a call on another stack than the caller's */
#ifndef HRESV_CORE_BASE_STACK_H
#define HRESV_CORE_BASE_STACK_H

/*
 * Runs @run(@arg) on a stack of our own and comes back: the caller's is not written
 * meanwhile, by this thread. 64 KiB. 0; -ENOMEM: it was not run.
 */
int stack_run(void (*run)(void *arg), void *arg);

#endif
