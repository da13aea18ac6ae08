/* SPDX-License-Identifier: MIT */
/* advice_supply.c - what is short, and the lines that mend it; see advice.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/advice.h"
#include "tools/screen.h"

typedef unsigned long long ull;

/* As Kubernetes writes sizes, and mount(8) and our variables in part: exact. */
static struct size_text exact(uint64_t bytes, const char *units)
{
	struct size_text t;
	unsigned shift = 0, unit = 0;

	while (bytes && units[unit] && !(bytes >> shift & 1023)) {
		shift += 10;
		unit++;
	}
	if (!bytes || !unit)
		snprintf(t.text, sizeof(t.text), "%llu", (ull)bytes);
	else
		snprintf(t.text, sizeof(t.text), "%llu%c", (ull)(bytes >> shift), units[unit - 1]);
	return t;
}

/* "2MB", as the files of cgroups are called. */
static struct size_text group_size(size_t bytes)
{
	struct size_text t = exact(bytes, "KMG");

	strcat(t.text, "B");
	return t;
}

static bool is_default(const struct supply *s)
{
	return s->page_bytes == s->sizes.default_bytes;
}

static void mend_pool(const struct supply *s, uint64_t total, struct advice *a)
{
	const struct size_text page = exact(s->page_bytes, "KMG");

	if (is_default(s)) {
		advice_mend(a, "now", "sysctl -w vm.nr_hugepages=%llu", (ull)total);
		advice_mend(a, "for good", "echo 'vm.nr_hugepages = %llu' > "
					   "/etc/sysctl.d/60-hugepages.conf", (ull)total);
		advice_mend(a, "at boot", "on the kernel's command line, where memory is too fragmented "
					  "later: hugepages=%llu", (ull)total);
		return;
	}
	advice_mend(a, "now", "echo %llu > /sys/kernel/mm/hugepages/hugepages-%zukB/nr_hugepages",
		    (ull)total, s->page_bytes >> 10);
	advice_mend(a, "at boot", "on the kernel's command line: hugepagesz=%s hugepages=%llu", page.text,
		    (ull)total);
}

static void say_pool(const struct bound *b, const struct supply *s, uint64_t need, struct advice *a)
{
	const uint64_t missing = need > b->pages ? need - b->pages : 0;
	const uint64_t bytes = missing * s->page_bytes;
	const struct size_text page = size_text(s->page_bytes);

	if (b->trouble == TROUBLE_NO_POOL)
		advice_say(a, b->trouble, "the pool of %s pages is empty (nr_hugepages is 0)", page.text);
	else
		advice_say(a, b->trouble,
			   "the pool has %llu pages of %s to give, %llu fewer than needed: of %llu, %llu "
			   "are free and %llu of these reserved; at most %llu more could be made",
			   (ull)b->pages, page.text, (ull)missing, (ull)s->pool.total,
			   (ull)s->pool.free, (ull)s->pool.reserved,
			   (ull)(s->pool.overcommit > s->pool.surplus ?
					 s->pool.overcommit - s->pool.surplus : 0));
	mend_pool(s, s->pool.total - s->pool.surplus + missing, a);
	if (s->mem_available && s->mem_available < bytes)
		advice_mend(a, "memory", "only %s are available now, of %s more that this takes",
			    size_text(s->mem_available).text, size_text(bytes).text);
}

static void kubernetes(const struct supply *s, uint64_t need, struct advice *a)
{
	advice_mend(a, "Kubernetes",
		    "resources: { limits: { hugepages-%si: %si, memory: ... } }, in the container",
		    exact(s->page_bytes, "KMG").text, exact(need * s->page_bytes, "KMGT").text);
}

static void say_group(const struct bound *b, const struct supply *s, uint64_t need,
		      struct advice *a)
{
	const bool fault = b->trouble == TROUBLE_CGROUP_FAULT;
	const struct cgroup_limit *limit = fault ? &s->groups.fault : &s->groups.rsvd;
	const char *file = fault ? (s->groups_v2 ? "max" : "limit_in_bytes") :
				   (s->groups_v2 ? "rsvd.max" : "rsvd.limit_in_bytes");
	const uint64_t more = need > b->pages ? (need - b->pages) * s->page_bytes : 0;
	const struct size_text size = group_size(s->page_bytes);

	advice_say(a, b->trouble,
		   "the control group %s may %s %s of huge pages of %s, and uses %s: room for %llu "
		   "pages", limit->path, fault ? "have" : "reserve", size_text(limit->limit).text,
		   size_text(s->page_bytes).text, size_text(limit->usage).text, (ull)b->pages);
	advice_mend(a, "now", "echo %llu > %s/hugetlb.%s.%s",
		    (ull)((limit->usage + b->pages * s->page_bytes + more) / s->page_bytes *
			  s->page_bytes), limit->path, size.text, file);
	kubernetes(s, need, a);
}

static void say_budget(const struct bound *b, const struct supply *s, uint64_t need,
		       struct advice *a)
{
	const uint64_t bytes = need * s->page_bytes;

	if (!s->active) {
		advice_say(a, b->trouble, "libhresv is switched off for it (HUGETLB_ACTIVE or "
					  "HUGETLB_RESTRICT_EXE, in the environment or hresv.conf)");
		advice_mend(a, "now", "HUGETLB_ACTIVE=yes, and its base name in HUGETLB_RESTRICT_EXE");
	} else if (s->limit != UINT64_MAX && b->pages == s->limit / s->page_bytes) {
		advice_say(a, b->trouble, "HUGETLB_LIMIT is %s", size_text(s->limit).text);
		advice_mend(a, "now", "HUGETLB_LIMIT=%s, in the environment or hresv.conf",
			    exact(bytes, "KMGT").text);
	} else {
		const uint64_t available = pool_available(&s->pool, s->page_bytes);

		advice_say(a, b->trouble, "HUGETLB_KEEP_FREE leaves %llu of %llu pages to others",
			   (ull)s->keep_free, (ull)available);
		if (available >= need)
			advice_mend(a, "now", "HUGETLB_KEEP_FREE=%llu", (ull)(available - need));
		mend_pool(s, s->pool.total + need - b->pages, a);
	}
}

static void say_mount(const struct bound *b, const struct supply *s, uint64_t need,
		      struct advice *a)
{
	const int bytes = (int)strcspn(s->mount, ":");
	const uint64_t used = s->mount_room.quota_pages - s->mount_room.free_pages;

	advice_say(a, b->trouble, "the mount %.*s of HUGETLB_PATH has %llu pages left of %llu", bytes,
		   s->mount, (ull)b->pages, (ull)s->mount_room.quota_pages);
	advice_mend(a, "now", "mount -o remount,size=%s %.*s",
		    exact((used + need) * s->page_bytes, "KMG").text, bytes, s->mount);
}

static void say_other(const struct bound *b, const struct supply *s, uint64_t need,
		      struct advice *a)
{
	switch (b->trouble) {
	case TROUBLE_NODE:
		advice_say(a, b->trouble, "memory policy or cpuset allow pages of some nodes only, and "
					  "those have %llu free", (ull)b->pages);
		advice_mend(a, "now", "echo N > /sys/devices/system/node/nodeX/hugepages/"
				      "hugepages-%zukB/nr_hugepages, for the nodes it may use",
			    s->page_bytes >> 10);
		break;
	case TROUBLE_MEMCG:
		advice_say(a, b->trouble, "huge pages count as memory here (cgroup2 is mounted with "
					  "memory_hugetlb_accounting) and memory is limited: then none is "
					  "taken, as kernels hang at the limit");
		advice_mend(a, "group", "memory.max = max in every group above it");
		advice_mend(a, "mount", "cgroup2 without memory_hugetlb_accounting, after a reboot");
		break;
	case TROUBLE_RLIMIT:
		advice_say(a, b->trouble, "its address space is limited to %s (RLIMIT_AS)",
			   size_text(s->address_room).text);
		advice_mend(a, "shell", "ulimit -v unlimited");
		advice_mend(a, "systemd", "LimitAS=infinity");
		break;
	default:
		advice_say(a, TROUBLE_NO_KERNEL, "%s%s",
			   s->sizes.n ? "this kernel has no huge pages of that size" :
					"this kernel has no huge pages, or /sys and /proc hide them",
			   s->sizes.n ? ": --page-size names another" : "");
		advice_mend(a, "at boot", s->sizes.n ? "hugepagesz=1G hugepages=%llu on the kernel's "
						       "command line, where the processor has them" :
						       "a kernel with CONFIG_HUGETLBFS=y (%llu pages are "
						       "needed)", (ull)need);
		break;
	}
}

void advice_supply(const struct bound *b, const struct supply *s, uint64_t need,
		   struct advice *a)
{
	if (!need)
		need = b->pages + 1;
	switch (b->trouble) {
	case TROUBLE_NO_POOL:
	case TROUBLE_POOL_SHORT:
		say_pool(b, s, need, a);
		break;
	case TROUBLE_CGROUP_FAULT:
	case TROUBLE_CGROUP_RSVD:
		say_group(b, s, need, a);
		break;
	case TROUBLE_BUDGET:
		say_budget(b, s, need, a);
		break;
	case TROUBLE_MOUNT_QUOTA:
		say_mount(b, s, need, a);
		break;
	default:
		say_other(b, s, need, a);
		break;
	}
}

void advice_shm(const struct supply *s, struct advice *a)
{
	advice_say(a, TROUBLE_EPERM, "this user may not make huge System V segments: they would be small "
				     "(mmap and malloc need no right)");
	advice_mend(a, "now", "sysctl -w vm.hugetlb_shm_group=%u", s->group);
	advice_mend(a, "for good", "echo 'vm.hugetlb_shm_group = %u' > "
				   "/etc/sysctl.d/60-hugetlb-group.conf", s->group);
	advice_mend(a, "systemd", "AmbientCapabilities=CAP_IPC_LOCK");
	advice_mend(a, "Kubernetes", "securityContext: { supplementalGroups: [N] } of the pod, N the node's "
				     "vm.hugetlb_shm_group");
}
