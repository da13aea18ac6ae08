/* SPDX-License-Identifier: MIT */
/*
 * start.c - what a program that does nothing pays for what is loaded into it: /bin/true, the
 * median of many runs, and the instructions of one, counted by stepping through it (a string
 * instruction counts once; no performance counters are needed; up to a quarter of a million): start RUNS
 */
// section: programs
// goals: G11
// cases: 300
// quick: 60
// few: glibc glibc-huge jemalloc mimalloc mimalloc-huge libhugetlbfs ours ours-off
// pool: 8
// contenders: malloc ours-off
// show: start_us
// timeout: 120
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/workloads/work.h"

extern char **environ;

static const char program[] = "/bin/true";

static double run_us(void)
{
	char *argv[] = { (char *)program, NULL };
	double from = now_us();
	int status = 1;
	pid_t pid;

	if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0 || status != 0)
		_Exit(1);
	return now_us() - from;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uintptr_t place_of(pid_t pid)
{
#if defined(__x86_64__)
	return (uintptr_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), NULL);
#else
	static uintptr_t other;

	(void)pid;
	return other++;
#endif
}

enum { MOST = 250000 };	/* a step takes some microseconds */

/* 0 where stepping is not allowed; MOST stands for more. */
static double instructions(void)
{
	uintptr_t last = 0, place;
	double count = 0;
	cpu_set_t one;
	int status;
	pid_t pid;

	/* They take turns: on one processor nobody has to be woken elsewhere. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(program, program, (char *)NULL);
		_exit(1);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		place = place_of(pid);
		count += place != last;
		last = place;
		if (count >= MOST)
			kill(pid, SIGKILL);
		else if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
			return 0;
	}
	return count;
}

int main(int argc, char **argv)
{
	size_t runs = number(argc, argv, 1, 300);
	double *took = must(calloc(runs, sizeof(*took)));

	for (size_t i = 0; i < runs; i++)
		took[i] = run_us();
	qsort(took, runs, sizeof(*took), by_value);
	metric("start_us", took[runs / 2]);
	metric("instructions_k", instructions() / 1e3);
	result(runs);
	return 0;
}
