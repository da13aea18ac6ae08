/* SPDX-License-Identifier: MIT */
/*
 * conf.h - the environment and hresv.conf, read once and sealed
 *
 * All of libhugetlbfs' variables with its meaning, and ours (README.md). What the
 * environment doesn't say, the file may (conf_file.h). Under AT_SECURE nothing is
 * read and nothing is rerouted. A bad value costs one line, which names the
 * variable, the value and what is used instead.
 */
#ifndef HRESV_CORE_FACTS_CONF_H
#define HRESV_CORE_FACTS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"

enum conf_fallback { FALLBACK_THP, FALLBACK_SMALL, FALLBACK_FAIL };
enum conf_explicit { EXPLICIT_FAIL, EXPLICIT_SMALL, EXPLICIT_KERNEL };
enum conf_fork { FORK_AUTO, FORK_SHARE, FORK_COPY, FORK_REFUSE };

/* One use of huge pages: mmap, System V segments, the heap. */
struct conf_use {
	bool on;
	bool thp;		/* small pages, advised huge (MORECORE=thp) */
	size_t page_bytes;	/* 0: HUGETLB_DEFAULT_PAGE_SIZE, or the kernel's default */
};

struct conf_elf {
	bool given;		/* HUGETLB_ELFMAP is set: marks in the file don't count */
	bool read, write;	/* R, W, RW */
	size_t read_page_bytes, write_page_bytes;	/* 0: the default */
	bool force;		/* HUGETLB_FORCE_ELFMAP */
	bool perf_map;		/* HUGETLB_PERF_MAP */
	const char *libraries;	/* HUGETLB_ELFLIBS, NULL when unset */
};

struct conf {
	bool active;		/* HUGETLB_ACTIVE; false under AT_SECURE, or filtered */
	bool secure;		/* AT_SECURE */
	bool filtered;		/* HUGETLB_RESTRICT_EXE names others */
	size_t page_bytes;	/* HUGETLB_DEFAULT_PAGE_SIZE, 0 when unset */
	const char *paths;	/* HUGETLB_PATH: hugetlbfs directories, parted by ':' */
	struct conf_use mmap, shm, morecore;
	struct conf_elf elf;
	size_t mmap_min;	/* bytes; 0: one huge page */
	size_t malloc_start;	/* bytes */
	uint64_t limit;		/* bytes; UINT64_MAX: none */
	uint64_t keep_free;	/* pages of the pool in use left to others */
	size_t eager_max;	/* bytes of one private mapping proven at once */
	enum conf_fallback fallback;
	enum conf_explicit explicit_requests;
	enum conf_fork fork;
	bool promote;
	bool share;		/* HUGETLB_SHARE */
	const char *share_path;
	bool no_reserve, no_prefault, minimal_copy, shrink;
	unsigned verbose;	/* 0 to 99 */
	bool debug;
	const char *stats;	/* HUGETLB_STATS: a file, NULL when unset */
};

/*
 * The defaults, without looking anywhere. HUGETLB_MMAP, _SHM and _MORECORE are
 * on, as are promotion and minimal copies; ELF is off.
 */
void conf_defaults(struct conf *ret_conf);

/*
 * Where it is defined (compat/), these are the defaults instead: libhugetlbfs does
 * nothing unless it is told to.
 */
#define CONF_OTHER __attribute__((weak, visibility("hidden")))	/* so that no loader looks for it */
extern const struct conf conf_other_defaults CONF_OTHER;

/* The same for the program's own segments: a hugetlbfs directory they come from; NULL: none. */
const char *conf_other_path(size_t page_bytes) CONF_OTHER;

/* Something to say about one variable. */
struct conf_remark {
	struct span variable, value;	/* as they stand in the environment or the file */
	const char *file;		/* NULL: the environment */
	unsigned line, column;		/* in the file, from 1 */
	const char *what;		/* "is not a size"; "has no effect here" */
	const char *used_instead;	/* what the default is, "4 GiB"; "" says nothing */
	unsigned verbose;		/* the HUGETLB_VERBOSE from which it is said */
};
typedef void (*conf_say)(const struct conf_remark *remark);

/*
 * Fills @ret_conf from an environment block (as in environ; NULL: empty) over
 * the defaults. Strings in it point into the block. Through @say (NULL: says
 * nothing) go, as far as HUGETLB_VERBOSE wants them: every bad value (1), every
 * variable of libhugetlbfs' that has no effect here and every HUGETLB_ name we
 * don't know (2). An empty value is the same as none; of a name that stands
 * twice the first counts, as for getenv(3).
 *
 * Pure: tests hand in a block. @exe is the path of the executable, for
 * HUGETLB_RESTRICT_EXE (compared by base name with the real executable, not with
 * argv[0]); NULL when it can't be known: then a restriction excludes us.
 */
void conf_parse(char *const *environment, const char *exe, conf_say say, struct conf *ret_conf);

/*
 * The same with a file below the environment, of which conf_file_select() has
 * listed what concerns this program (NULL: none). Strings may point into it. What
 * is wrong with its lines is said too: all that can't be read, and the values
 * listed.
 */
struct conf_file;
void conf_parse_with(char *const *environment, const struct conf_file *file, const char *exe,
		     conf_say say, struct conf *ret_conf);

/*
 * Is there anything to say about a setting of a file, whoever it concerns? Fills
 * .what, .used_instead and .verbose from .variable and .value, which a zero byte
 * must follow.
 */
bool conf_check_setting(struct conf_remark *remark);

/* Are these two names of one variable, as a file may write them? */
bool conf_same_variable(struct span a, struct span b);

/* The name of the @n-th variable, without HUGETLB_; NULL behind the last. */
const char *conf_variable(size_t n);

/*
 * What conf_get() keeps: a parsed copy in read-only memory that leans on nothing
 * in @environment; the constant defaults when neither it nor the file says
 * anything; all zero but for .secure under @secure, without a look at either. The
 * file is that of HUGETLB_CONF, else @path (NULL: none). Says nothing.
 * 0 and *ret_conf, to be given to conf_unseal(); -ENOMEM.
 */
int conf_seal(char *const *environment, const char *path, bool secure,
	      const struct conf **ret_conf);
void conf_unseal(const struct conf *c);

/*
 * The process' configuration: read at the first call by whichever thread comes
 * first, then read-only memory. That thread says the remarks, to standard error.
 * NULL until libc has an environment to read, and in the rare case that there is
 * no memory to keep it in: the next call tries again. Async-signal-safe.
 */
const struct conf *conf_get(void);

/*
 * Changes the two limits of the running process (hresv_policy_set). The caller has
 * closed the gate (lock.h): nobody is inside an operation that has read the old ones.
 * 0; -ENOMEM.
 */
int conf_tune(uint64_t limit, uint64_t keep_free);

/* The same for the first constructor of all, which runs before libc has environ. */
const struct conf *conf_start(char *const *environment);

/* The system's file: hresv.conf in the sysconfdir of configure. */
const char *conf_system_file(void);

#endif
