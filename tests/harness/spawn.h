/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - run a program and hold what it said and how it ended
 *
 *	struct spawned r = spawn(&(struct spawn){
 *		.argv = SPAWN_ARGV("psql", "-c", "select 1"),
 *		.env = SPAWN_ARGV("HUGETLB_VERBOSE=2"),
 *		.preload = "libhresv.so" });
 *	EXPECT_EQ(r.exit_status, 0);
 */
#ifndef HRESV_TESTS_HARNESS_SPAWN_H
#define HRESV_TESTS_HARNESS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>

#define SPAWN_ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct spawn {
	const char *const *argv;	/* a program of the build: harness_build_path() */
	const char *const *env;		/* NAME=VALUE added to ours, or a NAME taken out */
	const char *preload;		/* a file of the build, or an absolute path */
	const char *user;		/* run as; needs root, else the test is skipped */
	const char *cgroup;		/* run in; see cgroup.h */
	unsigned timeout_secs;		/* default 30 */
	void (*in_child)(void *arg);	/* last thing before exec: limits, closed files */
	void *arg;
};

struct spawned {
	int exit_status;	/* -1 if it died of a signal; 127 if it could not start */
	int signal;		/* 0 if it exited */
	bool timed_out;		/* killed by us: signal is SIGKILL */
	char *out, *err;	/* all of it, zero terminated; not to be freed */
	size_t out_bytes, err_bytes;
};

/* Returns when the program has ended; those it started are killed. */
struct spawned spawn(const struct spawn *what);

/* Become @user for the rest of this process. SKIP if we aren't root. */
void as_user(const char *user);

#endif
