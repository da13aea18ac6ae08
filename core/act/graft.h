/* SPDX-License-Identifier: MIT */
/*
 * graft.h - memory built aside takes the place of what a program runs on
 *
 * A program's own text and data, while it runs: the content is copied into memory
 * that is there already, which then gets the protection of what it replaces and is
 * moved over it by one mremap(). Text is never writable while it is executable:
 * neither the old pages nor the new ones.
 */
#ifndef HRESV_CORE_ACT_GRAFT_H
#define HRESV_CORE_ACT_GRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What lies at the place, one mapping of the kernel's, or several alike. */
struct graft_part {
	uintptr_t lo, hi;
	int prot;
	bool anonymous;		/* places never touched read zero, and need no copy */
};

struct graft {
	uintptr_t aside;	/* readable and writable, zero, nobody else's */
	uintptr_t at;		/* where it goes */
	size_t bytes;		/* of both */
	int prot;		/* of all parts in there */
	const struct graft_part *parts;		/* ascending; holes and neighbours allowed */
	size_t n;
};

/**
 * graft_over - what lies at @g->at is from now on at @g->aside's pages
 *
 * Writers to it wait for one copy. The caller is a guest of the gate, holds the claim
 * of all words there and gives no more than is mapped readable in @parts.
 *
 * Return: 0; -errno: nothing has changed but @g->aside, which is still the caller's
 * (-EBUSY: writers can't be held, or I/O has pages of it; -EACCES, -EPERM: the system
 * lets nobody execute what was written).
 */
int graft_over(const struct graft *g);

#endif
