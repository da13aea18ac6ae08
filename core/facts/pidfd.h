/* SPDX-License-Identifier: MIT */
/* pidfd.h - which process a pidfd means */
#ifndef HRESV_CORE_FACTS_PIDFD_H
#define HRESV_CORE_FACTS_PIDFD_H

#include <stdbool.h>

/* True when @pidfd is this process, PIDFD_SELF included. From /proc/self/fdinfo. */
bool pidfd_is_self(int pidfd);

#endif
