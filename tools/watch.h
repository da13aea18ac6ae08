/* SPDX-License-Identifier: MIT */
/*
 * watch.h - all processes, looked at again and again for little
 *
 * Whether libhresv is in a process costs reading its mappings, so the answer is kept:
 * until the process is another one, calls itself otherwise (exec), or ten seconds have
 * passed. What remains is one read of /proc/PID/status each.
 */
#ifndef HRESV_TOOLS_WATCH_H
#define HRESV_TOOLS_WATCH_H

#include "tools/report.h"

struct watched {
	pid_t pid;
	struct proc_status status;
	bool seen;			/* in this round */
	bool has_page;
	uint64_t page_at;
	uint64_t look_at_ns;		/* when to look for a page again */
	/* Of the last round; all zero without a page. */
	bool in_use;			/* it has asked for something */
	struct stats_use total;
	enum reason main_reason;
	uint64_t huge_now, wanted_bytes;	/* now; at the fullest moment */
	size_t page_bytes;
	uint64_t promoted, demoted, copied, rescued;
};

struct watch {
	struct watched *at;	/* by pid */
	size_t n;
	struct blob scratch;
};

/* Once more. What can't be read is as it was, or not there. 0, or -errno of reading /proc. */
int watch_round(struct watch *w);
void watch_free(struct watch *w);

/* Is there something to tell of it? */
bool watched_matters(const struct watched *p);

struct system;
/* tools/prometheus.c: both, in Prometheus' text format. */
void prometheus_write(FILE *to, const struct system *s, const struct watch *w);

#endif
