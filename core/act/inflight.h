/* SPDX-License-Identifier: MIT */
/*
 * inflight.h - I/O that is under way into our memory, past any protection
 *
 * A read from a file opened with O_DIRECT pins the pages it reads into, and the
 * device writes to them whatever is mapped there by then: a page that is swapped
 * for a copy meanwhile loses that data. Such short pins are counted nowhere
 * (VmPin counts the long ones), so we look for who could hold them.
 */
#ifndef HRESV_CORE_ACT_INFLIGHT_H
#define HRESV_CORE_ACT_INFLIGHT_H

#include <stdbool.h>

/**
 * inflight_settle - wait until no direct I/O of this process is under way
 *
 * Called when new pins can't be taken any more (writers are held) or would wait.
 * A process without a descriptor opened with O_DIRECT pays one pass over its
 * descriptors. One that has some, and a ring or a context of asynchronous I/O,
 * can't be waited for: nobody says when it is done.
 *
 * Return: 0; -EBUSY: there may be some, after INFLIGHT_PATIENCE_NS too. (So long, for
 * a thread that is ready to run may not come to run for tens of milliseconds, and what
 * the program gets then is an error no small page would give.)
 */
#define INFLIGHT_PATIENCE_NS 200000000u
int inflight_settle(void);

/* Is @fd looked for: O_DIRECT, a ring, or not to be known? None that is open doesn't matter. */
bool inflight_matters(int fd);

/* How it is now is how it stays: for when nothing can be asked any more (narrow.h). */
void inflight_remember(void);

#endif
