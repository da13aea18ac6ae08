/* SPDX-License-Identifier: MIT */
/*
 * program.h - programs written beside the tests that run them
 *
 *	PROGRAM(maps_six_mebibytes) { ... EXPECT_EQ(huge_in(at, 6 * MIB), 6 * MIB); }
 *	TEST(mmap_is_huge) { pool_set(2 * MIB, 3); run_with_us("maps_six_mebibytes"); }
 *
 * A program is a process of its own, started by exec, because libhresv reads its
 * environment once and is there from the first call or not at all. What a program
 * expects and does not find fails the test. The same program run without us is the
 * control.
 */
#ifndef HRESV_TESTS_HARNESS_PROGRAM_H
#define HRESV_TESTS_HARNESS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/harness/spawn.h"

struct harness_program {
	const char *name;
	void (*run)(void);
	struct harness_program *next;
};

#define PROGRAM(program_name)                                                                \
	static void program_name(void);                                                      \
	static struct harness_program harness_program_##program_name = {                     \
		.name = #program_name, .run = program_name                                   \
	};                                                                                   \
	__attribute__((constructor)) static void harness_add_##program_name(void)            \
	{                                                                                    \
		program_register(&harness_program_##program_name);                           \
	}                                                                                    \
	static void program_name(void)

void program_register(struct harness_program *program);

/* The harness's: runs the one this process was started for; false: it is a test. */
bool program_main(int *ret_status);

/*
 * Run a PROGRAM of this file as @how says (argv is not looked at): with @how->preload
 * under us, without it alone. Its failed expectations are not judged here.
 */
struct spawned program_run(const char *name, struct spawn how);

/* Under libhresv.so; fails the test unless it ends well. More environment: NAME=VALUE. */
#define run_with_us(...) program_with_us((const char *const[]){ __VA_ARGS__, NULL }, NULL, NULL)
#define run_with_us_in(cgroup, ...) \
	program_with_us((const char *const[]){ __VA_ARGS__, NULL }, cgroup, NULL)
#define run_with_us_as(user, ...) \
	program_with_us((const char *const[]){ __VA_ARGS__, NULL }, NULL, user)
struct spawned program_with_us(const char *const *name_and_env, const char *cgroup,
			       const char *user);

/* Without us, in @cgroup (NULL: none): a control. */
struct spawned program_alone(const char *name, const char *cgroup);

#endif
