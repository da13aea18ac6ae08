/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h - control groups with a hugetlb controller, made for one test
 *
 * Works on v2 and v1, wherever they are mounted. The test's groups live in one of
 * its own below the mount, hresv-PID; all are removed, and the controller disabled
 * again where we enabled it, after the test, however it ended. The calls hold the
 * pool's lock, as two harnesses would take the controller from each other.
 *
 * Names are relative and may nest: "pod/container". Every call skips the test when
 * there is no hugetlb controller or no right to use it.
 */
#ifndef HRESV_TESTS_HARNESS_CGROUP_H
#define HRESV_TESTS_HARNESS_CGROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_NO_LIMIT UINT64_MAX

/* 1 or 2. */
int cgroup_version(void);

/* Make the group, and those above it. Its directory, in static storage. */
const char *cgroup_make(const char *name);

/* What touching may take; what reserving may take. In bytes, or CGROUP_NO_LIMIT. */
void cgroup_limit_fault(const char *name, size_t page_bytes, uint64_t bytes);
void cgroup_limit_rsvd(const char *name, size_t page_bytes, uint64_t bytes);

uint64_t cgroup_usage_fault(const char *name, size_t page_bytes);
uint64_t cgroup_usage_rsvd(const char *name, size_t page_bytes);

/* Move a process in; 0 is the caller. */
void cgroup_join(const char *name, pid_t pid);

#endif
