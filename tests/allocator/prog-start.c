/* SPDX-License-Identifier: MIT */
// link: -rdynamic
/*
 * prog-start.c - what other threads do while one starts the engine: prog-start CASE
 *
 * The start makes a key for thread exits. The function that does it is found here, in the
 * program, and waits until the other thread is where the case wants it: the start lasts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/allocator/prog.h"

/* More than the early heap gives: the engine is started for it. */
#define START_BYTES 300000
#define STUCK_SECONDS 20

extern int __pthread_key_create(pthread_key_t *key, void (*ends)(void *));

static volatile int wanted;		/* the next key is the engine's */
static volatile int begun;		/* it is being made */
static volatile int through;		/* the other thread need not be waited for */
static volatile pid_t other, starter;

/* Waiting in the kernel: /proc/self/task/TID/stat, what stands behind the name. */
static int sleeps(pid_t tid)
{
	char path[64], text[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	end = strrchr(text, ')');
	return end && end[2] == 'S';
}

int pthread_key_create(pthread_key_t *key, void (*ends)(void *))
{
	if (wanted) {
		wanted = 0;
		begun = 1;
		while (!through && gettid() != other && !sleeps(other))
			sched_yield();
	}
	return __pthread_key_create(key, ends);
}

static void *start_engine(void *arg)
{
	void *at;

	(void)arg;
	starter = gettid();
	wanted = 1;
	at = malloc(START_BYTES);
	CHECK(at);
	free(at);
	return NULL;
}

static void use_heap(void)
{
	unsigned char *at = malloc(START_BYTES);

	CHECK(at);
	memset(at, 7, START_BYTES);
	CHECK(is_filled(at, 7, START_BYTES));
	free(at);
}

/* The child has no thread that starts, and needs a heap. */
static void fork_amid_start(void)
{
	pthread_t id;
	int status;
	pid_t pid;

	other = gettid();
	alarm(STUCK_SECONDS);
	CHECK(pthread_create(&id, NULL, start_engine, NULL) == 0);
	while (!begun)
		sched_yield();
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		alarm(STUCK_SECONDS);
		use_heap();
		_exit(0);
	}
	through = 1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pthread_join(id, NULL);
	use_heap();
}

/* A fork before anything was started leaves both with a heap that starts. */
static void fork_before_start(void)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	alarm(STUCK_SECONDS);
	use_heap();
	if (pid == 0)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/*
 * Called by the loader, under its lock, when the name is looked up: as a constructor of
 * what is opened while the program runs.
 */
static void nothing(void)
{
}

static void (*held_by_loader_is(void))(void)
{
	pthread_t id;

	other = gettid();
	CHECK(pthread_create(&id, NULL, start_engine, NULL) == 0);
	while (!begun && !(starter && wanted && sleeps(starter)))
		sched_yield();
	use_heap();
	pthread_detach(id);
	return nothing;
}

void held_by_loader(void) __attribute__((ifunc("held_by_loader_is")));

static void loader_waits_for_start(void)
{
	alarm(STUCK_SECONDS);
	CHECK(dlsym(RTLD_DEFAULT, "held_by_loader"));
}

static const struct prog_case cases[] = {
	{ "fork_amid_start", fork_amid_start },
	{ "fork_before_start", fork_before_start },
	{ "loader_waits_for_start", loader_waits_for_start },
};

int main(int argc, char **argv)
{
	return run_case(cases, sizeof(cases) / sizeof(*cases), argc, argv);
}
