/* SPDX-License-Identifier: MIT */
/*
 * kinds-first.c - a library that starts before us, with a thread that writes to the
 * program's data
 *
 * Linked -z initfirst, and the loader knows one such library only: the last it maps.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define SLOTS 4096

extern int written_early[SLOTS * 64];		/* the program's */
uint64_t written_rounds;
static volatile int stop;
static pthread_t writer;

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

static __attribute__((constructor)) void start(void)
{
	pthread_create(&writer, NULL, write_on, NULL);
	while (__atomic_load_n(&written_rounds, __ATOMIC_ACQUIRE) < 3)
		usleep(100);
}

void written_end(void)
{
	stop = 1;
	pthread_join(writer, NULL);
}
