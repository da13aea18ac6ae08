/* SPDX-License-Identifier: MIT */
/*
 * start.c - what a program that uses nothing of libhresv pays at its start
 *
 * Runs a program with and without the preload in turns and prints the median
 * of each, their difference and their ratio. Usage: start LIBRARY PROGRAM [ROUNDS]
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double run_us(const char *program, char **environment)
{
	char *argv[] = { (char *)program, NULL };
	double from = now_us();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, program, NULL, NULL, argv, environment) != 0 ||
	    waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "start: %s did not run\n", program);
		exit(1);
	}
	return now_us() - from;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 400;
	char preload[4096];
	char *with[] = { preload, "PATH=/usr/bin:/bin", NULL };
	char *without[] = { "PATH=/usr/bin:/bin", NULL };
	double *plain = calloc(rounds, sizeof(double)), *ours = calloc(rounds, sizeof(double));
	double p, o;

	if (argc < 3 || !plain || !ours || rounds == 0) {
		fprintf(stderr, "usage: start LIBRARY PROGRAM [ROUNDS]\n");
		return 2;
	}
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", argv[1]);
	for (size_t i = 0; i < rounds; i++) {
		plain[i] = run_us(argv[2], without);
		ours[i] = run_us(argv[2], with);
	}
	p = median(plain, rounds);
	o = median(ours, rounds);
	printf("start of %s: plain %.0f us, preloaded %.0f us, difference %.0f us, ratio %.2f\n",
	       argv[2], p, o, o - p, o / p);
	return 0;
}
