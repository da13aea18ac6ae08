/* SPDX-License-Identifier: MIT */
/*
 * copier.h - the thread that gives a page its copy at the first write (cow.h)
 *
 * It reads a userfaultfd, and ends by itself when nobody shares our pages any more.
 */
#ifndef HRESV_CORE_ACT_COPIER_H
#define HRESV_CORE_ACT_COPIER_H

#include <stdbool.h>

/*
 * By the forking thread, gate closed, with copier_hold(): reads @fd from now on, by a
 * descriptor of its own. 0, or -errno: there is no thread.
 */
int copier_start(int fd);

/* Is there one, in this very process? What is protected without one is not copied. */
bool copier_is_on(void);
bool copier_is_gone(void);

/* A child may have gone, or begun to exec. */
void copier_look_soon(void);

/* For its end, half a second at most. */
void copier_wait_end(void);

/* In a fork child, before anything else: it is not here. */
void copier_forget(void);

/* Holds off its end while a fork is under way. */
void copier_hold(void);
void copier_let_go(void);

#endif
