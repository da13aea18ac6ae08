/* SPDX-License-Identifier: MIT */
/* mlock.h - what lies behind msync */
#ifndef HRESV_PRELOAD_MLOCK_H
#define HRESV_PRELOAD_MLOCK_H

void preload_sync_find(void);

#endif
