/* SPDX-License-Identifier: MIT */
/*
 * rescue.h - the net: a page of ours for which there is no huge page gets small ones
 *
 * For what proof cannot cover: copy-on-write after a fork, limits lowered and
 * policies changed under a running program. A page that was populated keeps its
 * content, copied with writers held; one that was never written reads zero. The
 * access is then tried again and works.
 */
#ifndef HRESV_CORE_ACT_RESCUE_H
#define HRESV_CORE_ACT_RESCUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * From now on SIGBUS for want of a huge page is mended. Called before memory is
 * handed out that may need it; the second call costs one load.
 */
void rescue_arm(void);

/**
 * rescue_touch - a system call found that it cannot write to [at, at + bytes)
 *
 * Writes to what is ours in it by a store, without changing it, so that it is
 * mended or waited for. True: something was; the call may be made again.
 */
bool rescue_touch(uintptr_t at, size_t bytes);

/*
 * May the kernel be refused a write to @at, where a store would be mended? Only where
 * the net has been needed or writers are held by faults. Costs a load or three.
 */
bool rescue_may_refuse(uintptr_t at);

/*
 * The fault handler's question (front.h): SIGBUS or SIGSEGV with this code at
 * @at, in the thread that took it. True: the access may be tried again.
 */
bool rescue_mends(int number, int code, uintptr_t at);

#endif
