/* SPDX-License-Identifier: MIT */
/*
 * measure.c - runs a program once: measure OUTPUT [NAME=VALUE...] PROGRAM ARG...
 *
 * The variables are the program's alone. Writes one line to the file OUTPUT: wall and
 * CPU seconds, the peak of memory in MiB with huge pages counted (the kernel's own peak
 * leaves them out, so they are sampled), minor faults, and the status of waitpid().
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_MS = 4 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
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
	status[got > 0 ? got : 0] = '\0';
	return field_kib(status, "VmRSS:") + field_kib(status, "HugetlbPages:");
}

/* Samples until the process is over. Without pidfd_open() it sleeps between samples. */
static long watch(pid_t pid)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	long peak = 0, kib;
	siginfo_t info;

	do {
		kib = memory_kib(pid);
		peak = kib > peak ? kib : peak;
		poll(&end, end.fd >= 0, SAMPLE_MS);
		info.si_pid = 0;
	} while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0);
	return peak;
}

int main(int argc, char **argv)
{
	int first = 2, status = 0;
	struct rusage use;
	double begin, end;
	long peak;
	pid_t pid;
	FILE *out;

	while (first < argc && strchr(argv[first], '='))
		first++;
	out = first < argc ? fopen(argv[1], "we") : NULL;
	if (!out) {
		fprintf(stderr, "usage: measure OUTPUT [NAME=VALUE...] PROGRAM ARG...\n");
		return 2;
	}
	begin = now();
	pid = fork();
	if (pid == 0) {
		for (int i = 2; i < first; i++)
			putenv(argv[i]);
		execvp(argv[first], argv + first);
		perror(argv[first]);
		_exit(127);
	}
	if (pid < 0)
		return 2;
	peak = watch(pid);
	end = now();
	wait4(pid, &status, 0, &use);
	if (use.ru_maxrss > peak)
		peak = use.ru_maxrss;
	fprintf(out, "%.6f %.6f %.2f %ld %d\n", end - begin,
		seconds(use.ru_utime) + seconds(use.ru_stime), (double)peak / 1024, use.ru_minflt,
		status);
	return fclose(out) != 0;
}
