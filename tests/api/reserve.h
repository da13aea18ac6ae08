/* SPDX-License-Identifier: MIT */
/* reserve.h - what the tests of reservations share */
#ifndef HRESV_TESTS_API_RESERVE_H
#define HRESV_TESTS_API_RESERVE_H

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/hresv.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)

static inline struct hresv_reservation *reserved(size_t pages, unsigned flags)
{
	const struct hresv_want want = { .bytes = pages * PAGE, .page_bytes = PAGE, .flags = flags };
	struct hresv_reservation *r = NULL;

	REQUIRE_EQ(hresv_reserve(&want, &r), 0);
	return r;
}

static inline int try_reserve(size_t pages, unsigned flags)
{
	const struct hresv_want want = { .bytes = pages * PAGE, .page_bytes = PAGE, .flags = flags };
	struct hresv_reservation *r = NULL;
	int err = hresv_reserve(&want, &r);

	EXPECT_EQ(err == 0, r != NULL);
	hresv_release(r);
	return err;
}

static inline size_t held(struct hresv_reservation *r)
{
	struct hresv_reservation_info info;

	REQUIRE_EQ(hresv_reservation_query(r, &info), 0);
	return info.bytes / PAGE;
}

static inline char *mapped(struct hresv_reservation *r, size_t first, size_t pages)
{
	void *at = NULL;

	REQUIRE_EQ(hresv_map(r, first * PAGE, pages * PAGE, 0, &at), 0);
	return at;
}

static inline int wait_status(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

#endif
