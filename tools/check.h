/* SPDX-License-Identifier: MIT */
/* check.h - what `hresv check` finds, and how it is told */
#ifndef HRESV_TOOLS_CHECK_H
#define HRESV_TOOLS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/advice.h"
#include "tools/program.h"
#include "tools/supply.h"

struct check {
	/* asked */
	char *const *argv;	/* of the program, NULL: none */
	uint64_t need_bytes;	/* 0: not said */
	bool shm, json, trial, quiet;
	/* found */
	struct program program;
	char *library;
	struct supply supply;
	uint64_t need_pages, have_pages;
	bool trial_told;
	uint64_t asked_bytes, huge_bytes;	/* of a trial: at most at once, and got of it */
	struct advice *troubles;
	size_t n;
	enum trouble status;	/* the first of them that isn't accepted */
};

/* The next trouble, empty; it counts unless it is accepted. */
struct advice *check_add(struct check *c);

void check_print(const struct check *c);
void check_print_json(const struct check *c);

/*
 * Runs the program under the library, and sets what it asked for and got; adds a
 * trouble when it fails.
 */
void check_trial(struct check *c);

#endif
