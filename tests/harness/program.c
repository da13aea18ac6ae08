/* SPDX-License-Identifier: MIT */
/* program.c - the test's own file, started again as one of its programs */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/program.h"
#include "tests/harness/verdict.h"

#define WANTED "HRESV_TEST_PROGRAM"

static struct harness_program *programs;

void program_register(struct harness_program *program)
{
	program->next = programs;
	programs = program;
}

bool program_main(int *ret_status)
{
	const char *name = getenv(WANTED);
	const struct harness_program *p = programs;

	if (!name)
		return false;
	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	if (!p) {
		fprintf(stderr, "harness: no program %s\n", name);
		*ret_status = 2;
		return true;
	}
	p->run();
	*ret_status = verdict()->failures > 0;
	return true;
}

struct spawned program_run(const char *name, struct spawn how)
{
	static const char *env[64];
	char self[4096], wanted[128];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t n = 0;

	self[bytes < 0 ? 0 : bytes] = '\0';
	snprintf(wanted, sizeof(wanted), WANTED "=%s", name);
	env[n++] = wanted;
	for (const char *const *e = how.env; e && *e && n < 63; e++)
		env[n++] = *e;
	env[n] = NULL;
	how.argv = SPAWN_ARGV(self);
	how.env = env;
	return spawn(&how);
}

struct spawned program_with_us(const char *const *name_and_env, const char *cgroup,
			       const char *user)
{
	struct spawned r = program_run(name_and_env[0], (struct spawn){
		.env = name_and_env + 1, .preload = "libhresv.so",
		.cgroup = cgroup, .user = user });

	if (r.exit_status != 0)
		FAIL("%s under us: exit %d, signal %d%s: %.300s", name_and_env[0], r.exit_status,
		     r.signal, r.timed_out ? " (timed out)" : "", r.err);
	return r;
}

struct spawned program_alone(const char *name, const char *cgroup)
{
	return program_run(name, (struct spawn){ .cgroup = cgroup });
}
