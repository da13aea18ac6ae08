/* SPDX-License-Identifier: MIT */
/*
 * program.h - will a preload reach this program?
 *
 * Finds what execvp(3) would start, through scripts and env(1), and says what keeps
 * libhresv out of it, or its heap from us.
 */
#ifndef HRESV_TOOLS_PROGRAM_H
#define HRESV_TOOLS_PROGRAM_H

#include <stdbool.h>

#include "tools/binary.h"
#include "tools/trouble.h"

struct program {
	char *path;		/* of the binary in the end, NULL: none was found */
	char *script;		/* of the script that names it, NULL: none */
	int error;		/* of finding or reading it: errno, or 0 */
	bool secure;		/* starting it sets AT_SECURE for this user */
	struct binary binary;
};

/* @argv as it would be given to execvp(3). program_close() is right after it. */
void program_open(char *const *argv, struct program *ret_program);
void program_close(struct program *p);

/*
 * What is wrong with starting it under a library made for @machine, by weight:
 * the worst, or TROUBLE_NONE.
 */
enum trouble program_trouble(const struct program *p, unsigned machine);

/* Is the loader of @interpreter glibc's? */
bool program_is_glibc(const char *interpreter);

#endif
