/* SPDX-License-Identifier: MIT */
// link: -ldl
/*
 * prog-dlopen.c - loads the library that is named, closes it, and goes on
 *
 * What was registered while it was there is called afterwards: handlers of fork, of
 * signals, and of threads that end. Exit 2: it could not be loaded.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t loaded, closed;

static void *lives_longer(void *arg)
{
	pthread_barrier_wait(&loaded);
	free(strdup("by whoever is malloc"));
	pthread_barrier_wait(&closed);
	return arg;
}

static void *lives_later(void *arg)
{
	free(strdup("by whoever is malloc"));
	return arg;
}

static int forks(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	pthread_t longer, later;
	sigset_t bus;
	void *library;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	pthread_barrier_init(&loaded, NULL, 2);
	pthread_barrier_init(&closed, NULL, 2);
	pthread_create(&longer, NULL, lives_longer, NULL);
	library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!library) {
		printf("%s\n", dlerror());
		return 2;
	}
	pthread_barrier_wait(&loaded);
	sigprocmask(SIG_BLOCK, &bus, NULL);
	sigprocmask(SIG_UNBLOCK, &bus, NULL);
	if (forks() != 0 || dlclose(library) != 0)
		return 1;
	pthread_barrier_wait(&closed);
	pthread_join(longer, NULL);
	pthread_create(&later, NULL, lives_later, NULL);
	pthread_join(later, NULL);
	return forks();
}
