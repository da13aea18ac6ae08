/* SPDX-License-Identifier: MIT */
/*
 * advice.h - a trouble in words, and the exact lines that mend it
 */
#ifndef HRESV_TOOLS_ADVICE_H
#define HRESV_TOOLS_ADVICE_H

#include <stddef.h>
#include <stdint.h>

#include "tools/program.h"
#include "tools/supply.h"
#include "tools/trouble.h"

struct mend {
	const char *label;	/* when or where: "now", "at boot", "Kubernetes" */
	char *line;
};

struct advice {
	enum trouble trouble;
	char *says;		/* one sentence without its full stop */
	struct mend *mends;
	size_t n;
};

/* Each fills an empty one. Without memory the process ends, as tools may. */
void advice_program(enum trouble t, const struct program *p, struct advice *ret_advice);
void advice_library(enum trouble t, const char *path, struct advice *ret_advice);
/* @need: pages wanted; 0: nobody has said, and one more is meant. */
void advice_supply(const struct bound *b, const struct supply *s, uint64_t need,
		   struct advice *ret_advice);
/* System V segments, for which supply_bounds() has no bound. */
void advice_shm(const struct supply *s, struct advice *ret_advice);
void advice_free(struct advice *a);

/* For those who write more: printf(3) into them. */
void advice_say(struct advice *a, enum trouble t, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void advice_mend(struct advice *a, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
