/* SPDX-License-Identifier: MIT */
/*
 * run.h - the options of `hresv run`: what becomes of the environment
 */
#ifndef HRESV_TOOLS_RUN_H
#define HRESV_TOOLS_RUN_H

#include <stdbool.h>
#include <stdint.h>

/* As env(1) ends when it is not the program that does. */
enum { RUN_FAILED = 125, RUN_NOT_RUNNABLE = 126, RUN_NOT_FOUND = 127 };

struct run_options {
	bool dry_run, no_preload, quiet, only;
	bool variables;		/* list their options, and no more */
	const char *library;	/* NULL: to be found */
	uint64_t pool_check;	/* bytes; 0: none */
	int first;		/* of the program's words in argv */
};

/*
 * Reads options up to the program's name or "--", and sets variables of the
 * environment as they say. False: they make no sense, which has been said.
 */
bool run_options_read(int argc, char **argv, struct run_options *ret_options);

/* The option of each variable, one a line: "--keep-free=". */
void run_options_list(void);

#endif
