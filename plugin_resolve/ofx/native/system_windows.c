/* Windows: a named pipe and a named mapping, both private to this user. */
#ifndef UNICODE
#define UNICODE
#endif
#include "system.h"

#include <windows.h>
/* after windows.h */
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { ABORT_INTERVAL_MS = 20 };

static SRWLOCK the_lock = SRWLOCK_INIT;

void br_take_lock(void) { AcquireSRWLockExclusive(&the_lock); }
void br_give_lock(void) { ReleaseSRWLockExclusive(&the_lock); }
void br_pause(int milliseconds) { Sleep((DWORD)milliseconds); }

static bool widened(wchar_t wide[BR_PATH_BYTES], const char *text) {
    return MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, BR_PATH_BYTES) > 0;
}

static bool narrowed(char path[BR_PATH_BYTES], const wchar_t *wide) {
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, BR_PATH_BYTES, NULL, NULL) > 0;
}

bool br_own_path(char path[BR_PATH_BYTES]) {
    wchar_t wide[BR_PATH_BYTES];
    HMODULE module;
    DWORD how =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    if (!GetModuleHandleExW(how, (LPCWSTR)(uintptr_t)&br_own_path, &module)) return false;
    DWORD length = GetModuleFileNameW(module, wide, BR_PATH_BYTES);
    return length && length < BR_PATH_BYTES && narrowed(path, wide);
}

/* The same folder as in core/style.py and server_folder.py. */
static bool own_folder(char path[BR_PATH_BYTES], const char *rest) {
    wchar_t wide[BR_PATH_BYTES];
    DWORD length = GetEnvironmentVariableW(L"LOCALAPPDATA", wide, BR_PATH_BYTES);
    if (!length || length >= BR_PATH_BYTES || !narrowed(path, wide)) return false;
    size_t used = strlen(path);
    int added = snprintf(path + used, BR_PATH_BYTES - used, "%s", rest);
    return added > 0 && used + (size_t)added < BR_PATH_BYTES;
}

bool br_user_styles(char path[BR_PATH_BYTES]) { return own_folder(path, "\\brushreel\\styles"); }

void br_each_file(const char *folder, void (*visit)(const char *, void *), void *context) {
    wchar_t wide[BR_PATH_BYTES];
    char name[BR_PATH_BYTES];
    WIN32_FIND_DATAW found;
    if (!widened(wide, folder) || wcslen(wide) + 3 > BR_PATH_BYTES) return;
    wcscat(wide, L"\\*");
    HANDLE search = FindFirstFileW(wide, &found);
    if (search == INVALID_HANDLE_VALUE) return;
    do {
        if (narrowed(name, found.cFileName)) visit(name, context);
    } while (FindNextFileW(search, &found));
    FindClose(search);
}

bool br_read_file(const char *path, char *text, size_t size) {
    wchar_t wide[BR_PATH_BYTES];
    DWORD length = 0;
    if (!widened(wide, path)) return false;
    HANDLE file =
        CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) return false;
    bool read_it = ReadFile(file, text, (DWORD)size - 1, &length, NULL) != 0;
    text[read_it ? length : 0] = 0;
    CloseHandle(file);
    return read_it;
}

/* The folder is in the user's profile, where others can't write. */
bool br_read_rendezvous(char *text, size_t size) {
    char path[BR_PATH_BYTES];
    return own_folder(path, "\\brushreel\\serve\\server") && br_read_file(path, text, size);
}

static TOKEN_USER *user_of(HANDLE process) {
    HANDLE token;
    DWORD size = 0;
    if (!OpenProcessToken(process, TOKEN_QUERY, &token)) return NULL;
    GetTokenInformation(token, TokenUser, NULL, 0, &size);
    TOKEN_USER *user = malloc(size ? size : 1);
    if (user && !GetTokenInformation(token, TokenUser, user, size, &size)) {
        free(user);
        user = NULL;
    }
    CloseHandle(token);
    return user;
}

static bool is_same_user(HANDLE pipe) {
    ULONG id;
    if (!GetNamedPipeServerProcessId(pipe, &id)) return false;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, id);
    if (!process) return false;
    TOKEN_USER *theirs = user_of(process), *ours = user_of(GetCurrentProcess());
    bool same = theirs && ours && EqualSid(theirs->User.Sid, ours->User.Sid);
    free(theirs);
    free(ours);
    CloseHandle(process);
    return same;
}

bool br_connect(const char *address, intptr_t *channel) {
    wchar_t wide[BR_PATH_BYTES];
    if (!widened(wide, address)) return false;
    /* The server may identify us, and may not impersonate us. */
    DWORD how = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    HANDLE pipe =
        CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, how, NULL);
    if (pipe == INVALID_HANDLE_VALUE) return false;
    if (!is_same_user(pipe)) {
        CloseHandle(pipe);
        return false;
    }
    *channel = (intptr_t)pipe;
    return true;
}

void br_disconnect(intptr_t channel) { CloseHandle((HANDLE)channel); }

/* Waits for an operation; cancels it if the host has cancelled the frame. */
static br_outcome finished(HANDLE pipe, OVERLAPPED *under_way, DWORD *moved,
                           const br_abort *abort) {
    while (WaitForSingleObject(under_way->hEvent, ABORT_INTERVAL_MS) == WAIT_TIMEOUT) {
        if (!abort || !abort->asked(abort->effect)) continue;
        CancelIoEx(pipe, under_way);
        GetOverlappedResult(pipe, under_way, moved, TRUE);
        return BR_ABORTED;
    }
    return GetOverlappedResult(pipe, under_way, moved, TRUE) && *moved ? BR_DONE : BR_BROKEN;
}

static br_outcome move(HANDLE pipe, void *bytes, DWORD size, DWORD *moved, bool out,
                       const br_abort *abort) {
    OVERLAPPED under_way = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    if (!under_way.hEvent) return BR_BROKEN;
    BOOL begun = out ? WriteFile(pipe, bytes, size, NULL, &under_way)
                     : ReadFile(pipe, bytes, size, NULL, &under_way);
    br_outcome outcome = BR_BROKEN;
    if (begun || GetLastError() == ERROR_IO_PENDING)
        outcome = finished(pipe, &under_way, moved, abort);
    CloseHandle(under_way.hEvent);
    return outcome;
}

static br_outcome move_all(intptr_t channel, char *bytes, size_t size, bool out,
                           const br_abort *abort) {
    while (size) {
        DWORD moved = 0;
        br_outcome outcome = move((HANDLE)channel, bytes, (DWORD)size, &moved, out, abort);
        if (outcome != BR_DONE) return outcome;
        bytes += moved;
        size -= moved;
    }
    return BR_DONE;
}

br_outcome br_send(intptr_t channel, const void *bytes, size_t size, const br_memory *shared) {
    (void)shared; /* the server opens it by its name */
    return move_all(channel, (char *)(uintptr_t)bytes, size, true, NULL);
}

br_outcome br_receive(intptr_t channel, void *bytes, size_t size, const br_abort *abort) {
    return move_all(channel, bytes, size, false, abort);
}

/* Rights for this user and nobody else. */
static bool describe_rights(PSECURITY_DESCRIPTOR *rights) {
    wchar_t text[256], *sid = NULL;
    TOKEN_USER *user = user_of(GetCurrentProcess());
    bool made =
        user && ConvertSidToStringSidW(user->User.Sid, &sid) &&
        _snwprintf(text, 256, L"D:P(A;;GA;;;%ls)", sid) > 0 &&
        ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, rights, NULL);
    if (sid) LocalFree(sid);
    free(user);
    return made;
}

/* It is freed with the last handle, whichever process dies. */
bool br_make_memory(br_memory *memory, size_t size) {
    static volatile LONG count;
    SECURITY_ATTRIBUTES only_us = {.nLength = sizeof only_us};
    wchar_t name[64];
    if (!describe_rights(&only_us.lpSecurityDescriptor)) return false;
    *memory = (br_memory){.size = size};
    snprintf(memory->name, sizeof memory->name, "Local\\brushreel-%lu-%ld-%llx",
             GetCurrentProcessId(), InterlockedIncrement(&count),
             (unsigned long long)GetTickCount64());
    MultiByteToWideChar(CP_UTF8, 0, memory->name, -1, name, 64);
    HANDLE mapping =
        CreateFileMappingW(INVALID_HANDLE_VALUE, &only_us, PAGE_READWRITE,
                           (DWORD)((uint64_t)size >> 32), (DWORD)(size & 0xFFFFFFFF), name);
    bool taken = mapping && GetLastError() == ERROR_ALREADY_EXISTS;
    LocalFree(only_us.lpSecurityDescriptor);
    if (mapping && !taken) memory->bytes = MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, size);
    memory->handle = (intptr_t)mapping;
    if (mapping && !memory->bytes) CloseHandle(mapping);
    return memory->bytes != NULL;
}

void br_free_memory(br_memory *memory) {
    if (!memory->bytes) return;
    UnmapViewOfFile(memory->bytes);
    CloseHandle((HANDLE)memory->handle);
    *memory = (br_memory){0};
}

/* The host's Python settings would break ours. */
static wchar_t *clean_environment(void) {
    wchar_t *all = GetEnvironmentStringsW();
    size_t size = 0;
    while (all && all[size]) size += wcslen(all + size) + 1;
    wchar_t *clean = calloc(size + 2, sizeof *clean), *end = clean;
    for (wchar_t *entry = all; clean && entry && *entry; entry += wcslen(entry) + 1)
        if (_wcsnicmp(entry, L"PYTHON", 6)) {
            wcscpy(end, entry);
            end += wcslen(entry) + 1;
        }
    if (all) FreeEnvironmentStringsW(all);
    return clean;
}

/* Puts every argument in quotes; none of ours has a quote or ends in a backslash. */
static bool command_line(char *const command[], wchar_t line[BR_PATH_BYTES]) {
    char text[BR_PATH_BYTES] = {0};
    size_t used = 0;
    for (int i = 0; command[i]; i++) {
        int added = snprintf(text + used, sizeof text - used, "\"%s\" ", command[i]);
        if (added < 0 || used + (size_t)added >= sizeof text) return false;
        used += (size_t)added;
    }
    return widened(line, text);
}

br_outcome br_start_server(char *const command[], const br_abort *abort,
                           char message[BR_MESSAGE_BYTES]) {
    (void)abort; /* there is nothing to wait for */
    wchar_t line[BR_PATH_BYTES], *environment = clean_environment();
    STARTUPINFOW how = {.cb = sizeof how};
    PROCESS_INFORMATION made;
    BOOL started =
        environment && command_line(command, line) &&
        CreateProcessW(NULL, line, NULL, NULL, FALSE, CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT,
                       environment, NULL, &how, &made);
    free(environment);
    if (!started) {
        snprintf(message, BR_MESSAGE_BYTES, "%.500s: error %lu", command[0], GetLastError());
        return BR_FAILED;
    }
    CloseHandle(made.hThread);
    CloseHandle(made.hProcess);
    return BR_DONE;
}
