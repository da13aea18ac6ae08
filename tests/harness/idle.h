/* SPDX-License-Identifier: MIT */
/* idle.h - a machine that seems to have nothing to do, or so many tasks to run */
#ifndef HRESV_TESTS_HARNESS_IDLE_H
#define HRESV_TESTS_HARNESS_IDLE_H

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/harness/harness.h"

/*
 * In a mount namespace of this process' own, so that nothing is to be put back: /proc/loadavg
 * says that @running tasks run. @directory is where a file of that kind may lie.
 */
static inline bool machine_runs(const char *directory, unsigned running)
{
	char path[4096];
	FILE *f;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/loadavg", directory);
	f = fopen(path, "we");
	if (!f || fprintf(f, "0.00 0.00 0.00 %u/99 99\n", running) < 0 || fclose(f) != 0)
		return false;
	return mount(path, "/proc/loadavg", NULL, MS_BIND, NULL) == 0;
}

#endif
