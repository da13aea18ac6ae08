/* SPDX-License-Identifier: MIT */
/*
 * faults.h - make the n-th system call fail
 *
 * Hooks core/base/sys.h. Every function that acts is run with n = 1, 2, ... until
 * no call failed any more; see docs/TESTING.md. Calls of all threads are counted.
 *
 * faults_arm() and faults_arm_from() leave calls alone that can't fail as we make
 * them: close(2) of what is open, futexes, signal masks, clocks and naps; and
 * munmap(2), whose failure leaves behind what nobody could take away then. That of
 * the program's own is failed by faults_arm_call().
 */
#ifndef HRESV_TESTS_HARNESS_FAULTS_H
#define HRESV_TESTS_HARNESS_FAULTS_H

#include <stdbool.h>

/* From now on the @nth call, from 1, returns -@err without reaching the kernel. */
void faults_arm(int nth, int err);
/* The same, counting only calls of this number (SYS_mmap). */
void faults_arm_call(long nr, int nth, int err);
/* That call and all after it. */
void faults_arm_from(int nth, int err);

/* True if a call failed since arming. Disarms, so that what follows is real. */
bool faults_fired(void);
void faults_disarm(void);

/* Calls seen since arming, that which failed included. */
int faults_seen(void);

/* The number of the call that failed first (SYS_mmap), -1 when none did. */
long faults_failed(void);

#endif
