/* SPDX-License-Identifier: MIT */
/*
 * aside.h - memory under construction, which a fork child must not keep
 *
 * Populating gigabytes takes its time, and whoever does it steps out of the gate
 * now and then, so that signals and fork need not wait for all of it. A child
 * made in such a moment inherits a mapping and a turn that nobody will finish:
 * it gives both up.
 */
#ifndef HRESV_CORE_ACT_ASIDE_H
#define HRESV_CORE_ACT_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: there is no memory to remember it in; then don't step out. */
bool aside_note(uintptr_t at, size_t bytes);
/* The descriptor of the turn held meanwhile, -1: none. */
void aside_set_turn(uintptr_t at, int fd);
void aside_forget(uintptr_t at);

/*
 * Does a thread of ours hold a turn out of the gate? It can't give it up while the
 * gate is closed: the closer must not wait for it.
 */
bool aside_holds_turn(void);

/*
 * In a fork child: unmaps and closes what its parent's other threads were building. What
 * the thread itself was at, when a handler interrupted it to fork, it will go on with.
 */
void aside_abandon(void);

#endif
