/* SPDX-License-Identifier: MIT */
/*
 * stack.h - a call made where it may do something to the caller's own stack
 */
#ifndef HRESV_CORE_BASE_STACK_H
#define HRESV_CORE_BASE_STACK_H

#include <stdint.h>

/**
 * stack_clear_of - call(@arg), on another stack where the caller's lies in [lo, hi)
 *
 * Programs run threads and coroutines on memory they mapped. Who holds all writers to such
 * memory would wait for itself, and who copies it would lose what it pushes next. What
 * @call is given may lie there, and is read alone.
 *
 * Return: its value; -ENOMEM: no other stack, and it was not called.
 */
long stack_clear_of(uintptr_t lo, uintptr_t hi, long (*call)(void *arg), void *arg);

/*
 * Runs @run(@arg) on a stack of our own wherever the caller's lies: that is not written
 * meanwhile, by this thread. 64 KiB. 0; -ENOMEM: it was not run.
 */
int stack_run(void (*run)(void *arg), void *arg);

#endif
