/* SPDX-License-Identifier: MIT */
/*
 * stats.h - what was asked, what became huge, what did not, and why
 *
 * One page for each process, read by hresv(1) while the process runs and without
 * its doing anything: it lies in our data, an ELF note says where, and whoever may
 * read the process' memory (its owner, root) reads it from there. So it costs no
 * system call and no descriptor, it is copied by fork() like all memory, and
 * nothing is left behind when the process dies. Writing is plain atomics, from any
 * thread and any handler.
 *
 * A reader believes nothing: it copies, looks at magic, version and sizes, and
 * bounds every number (tools/page.c). Change the layout, and the version with it.
 */
#ifndef HRESV_CORE_ACT_STATS_H
#define HRESV_CORE_ACT_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/decide/request.h"
#include "core/facts/conf.h"
#include "core/facts/pagesize.h"
#include "core/facts/pool.h"

/* Bytes, all of them, since the process started; "now" falls again. */
struct stats_use {
	uint64_t requests;
	uint64_t asked;
	uint64_t huge;
	uint64_t small[REASON_N];	/* by reason */
};

/* Decisions by the page size wanted, and the pool when it was last looked at. */
struct stats_size {
	uint64_t page_bytes;		/* 0: nobody asked for more sizes than those before */
	uint64_t requests;
	uint64_t asked;
	uint64_t huge;
	uint64_t small[REASON_N];
	uint64_t pool_total, pool_free, pool_reserved, pool_surplus;
	uint64_t pool_looks;		/* how often */
};

struct stats {
	struct stats_use use[USE_N];
	struct stats_size size[PAGESIZE_MAX];
	uint64_t guarded_requests;	/* the program's own huge requests */
	uint64_t guarded_refused;	/* of them, answered ENOMEM or with small pages */
	uint64_t guarded_bytes;		/* of them, proven */
	uint64_t guarded_why[REASON_N];	/* refused bytes by reason */
	uint64_t guarded_largest;	/* refused at once, bytes */
	uint64_t huge_now;		/* bytes of huge pages, as HUGETLB_LIMIT counts them */
	uint64_t huge_peak;
	/*
	 * Bytes that would have been huge at the fullest moment, had there been pages
	 * for all that was asked: huge then, and small for want of them.
	 */
	uint64_t wanted_peak;
	/* Bytes that are small for want of pages: the allocator's now, all shared ever. */
	uint64_t heap_small_now, shared_small;
	uint64_t demoted;		/* pages */
	uint64_t promoted;		/* pages */
	uint64_t rescued;		/* pages */
	uint64_t copied;		/* pages, small copies made because of a fork */
};

/* What became of one request. */
struct decision {
	const char *call;	/* at most 15 letters are kept */
	enum use use;
	bool own;		/* the program itself asked for huge pages */
	bool shared;		/* no words say what of it is small, and for how long */
	uintptr_t at;		/* 0: has no address yet */
	size_t asked, huge;	/* bytes */
	size_t page_bytes;	/* wanted; 0: none known */
	enum reason why;	/* of what is not huge */
};

/* The same as it is kept. */
struct stats_record {
	uint64_t number;	/* the first is 1; 0: none; STATS_BUSY: being written */
	uint64_t at, asked, huge, page_bytes;
	uint64_t pool_free, pool_total;		/* when last looked at; both 0: never */
	uint32_t why, use, own, unused;
	union {
		char call[16];
		uint64_t call_words[2];
	};
};

#define STATS_MAGIC "hresv-s"
#define STATS_VERSION 1
#define STATS_RECORDS 64
#define STATS_BUSY ((uint64_t)1 << 63)

struct stats_page {
	char magic[8];
	uint32_t version;
	uint32_t bytes;			/* of all of this */
	uint32_t uses, reasons, sizes, records;
	uint32_t pid;			/* who counts, as it sees itself; 0: nobody yet */
	uint32_t granule_shift;		/* the page map, so that a reader can walk it */
	uint64_t map_top, map_top_words, map_leaf_words;
	struct stats counters;
	uint64_t decided;		/* records made; the last STATS_RECORDS are kept */
	uint64_t lost;			/* records that met another in their place */
	struct stats_record record[STATS_RECORDS];
};

/*
 * Where the page is: a note of this name and type in the object's PT_NOTE, whose
 * eight bytes are the distance from themselves to the page. It survives strip(1).
 */
#define STATS_NOTE_NAME "hresv"
#define STATS_NOTE_TYPE 1

/* The live page; read its counters with __atomic loads. */
const struct stats_page *stats_page(void);
const struct stats *stats_get(void);

void stats_request(enum use use, size_t asked);
void stats_huge(enum use use, size_t bytes);
void stats_small(enum use use, size_t bytes, enum reason why);
void stats_guarded(size_t bytes, enum reason why);	/* REASON_NONE: proven */

/* Huge bytes held now: the number HUGETLB_LIMIT bounds. */
void stats_hold(size_t bytes);
void stats_release(size_t bytes);
uint64_t stats_held(void);

void stats_demoted(size_t pages);
void stats_promoted(size_t pages);
void stats_rescued(size_t pages);
void stats_copied(size_t pages);

/* The allocator's memory that is small for want of pages: more of it, or less. */
void stats_heap_small(size_t bytes);
void stats_heap_no_more(size_t bytes);

/* A pool as it was read just now, for whoever asks later how it looked. */
void stats_pool(size_t page_bytes, const struct pool *pool);

/*
 * Keeps it, counts it by page size, and says it at HUGETLB_VERBOSE=3. A program's own
 * request is counted by it as stats_guarded() does, others are counted apart.
 */
void stats_decide(const struct decision *d);

/* The same for a request of ours without an address. @where: "" or NULL, or what binds. */
void stats_tell(const char *call, size_t asked, size_t huge, enum reason why, const char *where);

/* In a fork child: what it holds is as it was, what it asked for is nothing yet. */
void stats_renew(void);

/*
 * Pages of @page_bytes that would have made everything huge, and whether that is a
 * bound rather than a count: some of it may never have been touched.
 */
uint64_t stats_wanted_pages(size_t page_bytes, bool *ret_at_most);

/* HUGETLB_VERBOSE=2: the table, to standard error. Says nothing if nothing was asked. */
void stats_print_table(size_t page_bytes);

/*
 * HUGETLB_STATS: all of it as JSON. %p in @path is our pid, %% a percent sign. A
 * regular file is replaced at once, by rename; a pipe or device is written to;
 * nothing is written through a symbolic link. 0 or -errno.
 */
int stats_write(const char *path, size_t page_bytes);

/* What the library does at the end of the program: table and file, as configured. */
void stats_finish(const struct conf *conf, size_t page_bytes);

#endif
