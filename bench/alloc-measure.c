/* SPDX-License-Identifier: MIT */
/*
 * alloc-measure.c - runs a program once: alloc-measure PROGRAM ARG...
 *
 * Prints wall and CPU seconds, the peak of memory in MiB with huge pages counted
 * (the kernel's own peak leaves them out, so they are sampled), and minor faults.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long field_kib(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

/* Resident and huge together, now. */
static long memory_kib(pid_t pid)
{
	char path[64], status[8192];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	status[got] = '\0';
	return field_kib(status, "VmRSS:") + field_kib(status, "HugetlbPages:");
}

int main(int argc, char **argv)
{
	const struct timespec nap = { .tv_nsec = 4000000 };
	struct rusage use;
	double start = now();
	long peak = 0;
	int status;
	pid_t pid;

	if (argc < 2)
		return 2;
	pid = fork();
	if (pid == 0) {
		const char *preload = getenv("ALLOC_PRELOAD");

		if (preload && *preload)
			setenv("LD_PRELOAD", preload, 1);
		execv(argv[1], argv + 1);
		_exit(127);
	}
	while (wait4(pid, &status, WNOHANG, &use) == 0) {
		long kib = memory_kib(pid);

		if (kib > peak)
			peak = kib;
		nanosleep(&nap, NULL);
	}
	if (use.ru_maxrss > peak)
		peak = use.ru_maxrss;
	printf("%.4f %.4f %.1f %ld %d\n", now() - start,
	       (double)use.ru_utime.tv_sec + (double)use.ru_utime.tv_usec / 1e6 +
		       (double)use.ru_stime.tv_sec + (double)use.ru_stime.tv_usec / 1e6,
	       (double)peak / 1024, use.ru_minflt, status);
	return status ? 1 : 0;
}
