/* SPDX-License-Identifier: MIT */
/*
 * apart.h - a step of ours that opens files, where the process has no descriptor left
 *
 * Small pages need no descriptor, so a program that has as many as RLIMIT_NOFILE allows
 * must not hear of ours. One kept back would be one less for the program, and the first
 * thing that who closes descriptors it doesn't know takes away. So a thread does the
 * step, with a copy of the table in which some numbers are free.
 */
#ifndef HRESV_CORE_ACT_APART_H
#define HRESV_CORE_ACT_APART_H

/**
 * apart_run - call @step(@arg) in such a thread, and wait until it is gone
 * @arg: not on the caller's stack, which may be what writers are held from
 *
 * The thread sees the program's descriptors by their numbers, but for up to three that it
 * has for itself: never one opened with O_DIRECT, nor a ring.
 * Return: 0 when it was called; -errno when there is no thread to be had.
 */
int apart_run(void (*step)(void *arg), void *arg);

#endif
