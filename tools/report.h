/* SPDX-License-Identifier: MIT */
/*
 * report.h - one process: what it asked for, what became huge, what didn't and why
 *
 * From its statistics page while it lives, or from the file HUGETLB_STATS wrote.
 */
#ifndef HRESV_TOOLS_REPORT_H
#define HRESV_TOOLS_REPORT_H

#include "core/act/stats.h"
#include "tools/json.h"
#include "tools/proc.h"
#include "tools/screen.h"

struct report {
	bool live;			/* of a process, not of a file */
	pid_t pid;
	struct proc_status status;	/* of a process */
	/*
	 * 0; -ENXIO: no libhresv in it; -EPROTO: of another version; -EACCES or -EPERM: not
	 * for us to read. Unless 0, there is no @page.
	 */
	int page_err;
	struct stats_page page;
	bool copied;			/* what the page says is of the process it is a copy of */
	size_t page_bytes;		/* the main huge page size; 0 unknown */
	uint64_t wanted_pages;		/* of it, that would have made everything huge */
	bool wanted_at_most;
};

/* 0; -ENOENT, -ESRCH: no such process. */
int report_of_pid(pid_t pid, struct report *ret_report);

/* Fills in the page and what follows from it, of a report that has the rest. */
void report_read_page(struct report *r, uint64_t at);

/* 0; -errno of open(2) or read(2); -EBADMSG: not a file of ours; -EPROTO: another version. */
int report_of_file(const char *path, struct report *ret_report);

/* What is not huge, of a use, of the program's own requests, or of everything. */
uint64_t report_small(const uint64_t small[REASON_N]);
struct stats_use report_total(const struct report *r);

/* Most bytes have this reason; REASON_NONE: all is huge. */
enum reason report_main_reason(const struct report *r);

/* Why there is no page, in a sentence; NULL: there is one. */
const char *report_complaint(const struct report *r);

/* What mends @why, in a line; NULL: nothing needs mending. */
const char *report_mend(enum reason why);

void report_print(const struct screen *on, const struct report *r);
void report_json(struct json *j, const struct report *r);	/* members of an open object */
/* The last decisions, the latest first: at most @most for people, and all as a list. */
void report_print_decisions(const struct screen *on, const struct report *r, size_t most);
void report_json_decisions(struct json *j, const struct report *r);

#endif
