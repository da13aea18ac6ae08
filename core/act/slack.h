/* SPDX-License-Identifier: MIT */
/*
 * slack.h - mappings held back for when the kernel has none left
 *
 * A process may have so many mappings (vm.max_map_count), and to make a huge page small
 * takes some for a moment. A program that has used up all of them is refused the next
 * one with ENOMEM, as without us; but a page that a fork shares, or that SIGBUS was raised
 * for, must be made small. So from our first page on a few mappings are held that nobody
 * needs, and given up in that moment.
 */
#ifndef HRESV_CORE_ACT_SLACK_H
#define HRESV_CORE_ACT_SLACK_H

#include <stdbool.h>

/* Holds them if they aren't held yet; false: the kernel has none to spare. */
bool slack_hold(void);

/*
 * Gives them up, so that the caller gets them: true, then slack_drop() when that is done. Waits for
 * another thread that is at it, so what is done in between waits for nobody's claim.
 */
bool slack_take(void);
void slack_drop(void);

/* In a fork child: who had taken them is not here. */
void slack_renew(void);

#endif
