/* SPDX-License-Identifier: MIT */
/*
 * kinds-first.c - a library that starts before us, with a thread that writes to the
 * program's data
 *
 * Linked -z initfirst, and the loader knows one such library only: the last it maps.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern pid_t _Fork(void);
extern char **environ;

#define SLOTS 4096

extern int written_early[SLOTS * 64];		/* the program's */
uint64_t written_rounds;
static volatile int stop;
static pthread_t writer;
static pid_t child;

/* Each place holds what was last written there: a write that is lost shows. */
static void *write_on(void *arg)
{
	uint64_t round = 0;

	while (!stop) {
		round++;
		for (int i = 0; i < SLOTS; i++) {
			volatile int *at = &written_early[i * 64];

			if (*at != (int)(round - 1)) {
				printf("lost: place %d has %d in round %d\n", i, *at, (int)round);
				_exit(1);
			}
			*at = (int)round;
		}
		__atomic_store_n(&written_rounds, round, __ATOMIC_RELEASE);
	}
	return arg;
}

/* Other libraries may start processes and threads this early. */
static __attribute__((constructor)) void start(void)
{
	char *const argv[] = { (char *)"true", NULL };
	int spawned = posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ), status = 0;
	pid_t bare = _Fork();

	if (bare == 0)
		_exit(0);
	waitpid(child, &status, 0);
	if (spawned || status || bare < 0 || waitpid(bare, &status, 0) != bare ||
	    pthread_create(&writer, NULL, write_on, NULL) != 0) {
		printf("cannot start: %d %d\n", spawned, (int)bare);
		_exit(1);
	}
	while (__atomic_load_n(&written_rounds, __ATOMIC_ACQUIRE) < 3)
		usleep(100);
}

void written_end(void)
{
	stop = 1;
	pthread_join(writer, NULL);
}
