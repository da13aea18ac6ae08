/* SPDX-License-Identifier: MIT */
/* keeper.h - a child that shares what its parent has until it is told to end */
#ifndef HRESV_TESTS_FORK_KEEPER_H
#define HRESV_TESTS_FORK_KEEPER_H

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"

static inline int status_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline pid_t keeper(int ret_stop[2])
{
	pid_t pid;
	char c;

	REQUIRE_EQ(pipe(ret_stop), 0);
	pid = fork();
	if (pid == 0) {
		close(ret_stop[1]);
		if (read(ret_stop[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ret_stop[0]);
	return pid;
}

static inline void end_keeper(int stop[2], pid_t pid)
{
	close(stop[1]);
	EXPECT_EQ(status_of(pid), 0);
}

#endif
