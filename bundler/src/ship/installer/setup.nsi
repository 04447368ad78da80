; The installer for Windows that `notsotuf ship --installer setup` makes, for one user and without
; an administrator's rights. VALUES and FILES are files that it writes: names and texts, and the
; commands that unpack the first-install folder. A script of the project's own (`script` under
; [installer]) gets the same.
!include "${VALUES}"
Target ${TARGET}
ManifestDPIAware true
ManifestLongPathAware true
ManifestSupportedOS all
RequestExecutionLevel user
SetCompressor /SOLID lzma
SetDateSave off
!include LogicLib.nsh
!include FileFunc.nsh
!include MUI2.nsh
!include Win\COM.nsh
!include Win\Propkey.nsh

!define ENTRY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${APP}"

Name "${TITLE}" "${TITLE_IN_CONTROLS}"
OutFile "${OUTPUT}"
BrandingText " "
InstallDir "$LOCALAPPDATA\Programs\${FOLDER}"
; Where it was installed before.
InstallDirRegKey HKCU "${ENTRY}" "InstallLocation"
VIProductVersion "${FOUR_NUMBERS}"
VIAddVersionKey "ProductName" "${TITLE}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "${TITLE} Setup"
VIAddVersionKey "CompanyName" "${PUBLISHER}"
VIAddVersionKey "LegalCopyright" "${PUBLISHER}"

!ifdef ICON
  !define MUI_ICON "${ICON}"
  !define MUI_UNICON "${ICON}"
!endif
!define MUI_FINISHPAGE_RUN "$INSTDIR\${PROGRAM}"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES

; The first one is for all other languages.
!macro TEXTS LANGUAGE BUSY UNWRITTEN LEFT
  !insertmacro MUI_LANGUAGE "${LANGUAGE}"
  LangString BUSY ${LANG_${LANGUAGE}} "${BUSY}$\r$\n$\r$\n$1"
  LangString UNWRITTEN ${LANG_${LANGUAGE}} "${UNWRITTEN}"
  LangString LEFT ${LANG_${LANGUAGE}} "${LEFT}"
!macroend
!insertmacro TEXTS English "${TITLE} cannot be replaced or removed now." \
  "Some files of ${TITLE} could not be written. Close it, and try again." \
  "Files that were made after the installation are left in $INSTDIR\app. Remove them, too?"
!insertmacro TEXTS German "${TITLE} kann jetzt nicht ersetzt oder entfernt werden." \
  "Einige Dateien von ${TITLE} konnten nicht geschrieben werden. Bitte das Programm beenden und noch einmal versuchen." \
  "In $INSTDIR\app liegen noch Dateien, die nach der Installation entstanden sind. Auch diese entfernen?"
!insertmacro TEXTS French "${TITLE} ne peut pas être remplacé ou supprimé maintenant." \
  "Certains fichiers de ${TITLE} n’ont pas pu être écrits. Fermez le programme et réessayez." \
  "Des fichiers créés après l’installation se trouvent encore dans $INSTDIR\app. Les supprimer aussi ?"
!insertmacro TEXTS Spanish "${TITLE} no se puede sustituir ni eliminar ahora." \
  "No se pudieron escribir algunos archivos de ${TITLE}. Cierre el programa e inténtelo de nuevo." \
  "En $INSTDIR\app quedan archivos creados después de la instalación. ¿Eliminarlos también?"
!insertmacro TEXTS Italian "${TITLE} non può essere sostituito o rimosso adesso." \
  "Non è stato possibile scrivere alcuni file di ${TITLE}. Chiudere il programma e riprovare." \
  "In $INSTDIR\app ci sono ancora file creati dopo l’installazione. Rimuovere anche questi?"
!insertmacro TEXTS Dutch "${TITLE} kan nu niet worden vervangen of verwijderd." \
  "Sommige bestanden van ${TITLE} konden niet worden geschreven. Sluit het programma en probeer het opnieuw." \
  "In $INSTDIR\app staan nog bestanden die na de installatie zijn gemaakt. Deze ook verwijderen?"
!insertmacro TEXTS Polish "Nie można teraz zastąpić ani usunąć programu ${TITLE}." \
  "Nie udało się zapisać niektórych plików programu ${TITLE}. Zamknij go i spróbuj ponownie." \
  "W folderze $INSTDIR\app pozostały pliki utworzone po instalacji. Usunąć je również?"
!insertmacro TEXTS Portuguese "Não é possível substituir ou remover ${TITLE} agora." \
  "Não foi possível gravar alguns ficheiros de ${TITLE}. Feche o programa e tente de novo." \
  "Em $INSTDIR\app há ainda ficheiros criados depois da instalação. Removê-los também?"
!insertmacro TEXTS PortugueseBR "Não é possível substituir ou remover ${TITLE} agora." \
  "Não foi possível gravar alguns arquivos de ${TITLE}. Feche o programa e tente de novo." \
  "Em $INSTDIR\app ainda há arquivos criados depois da instalação. Removê-los também?"
!insertmacro TEXTS Japanese "現在、${TITLE} を置き換えたり削除したりすることはできません。" \
  "${TITLE} の一部のファイルを書き込めませんでした。プログラムを終了してから、もう一度お試しください。" \
  "インストール後に作成されたファイルが $INSTDIR\app に残っています。これらも削除しますか?"
!insertmacro TEXTS SimpChinese "现在无法替换或删除 ${TITLE}。" \
  "${TITLE} 的一些文件无法写入。请关闭程序后重试。" \
  "$INSTDIR\app 中还有安装后创建的文件。也要删除它们吗？"

; Has the updater remove what is installed: it knows which files are a release's. Asks to try again
; while the application runs; a silent run ends with the updater's exit code.
!macro REMOVE_RELEASE UPDATER OPTIONS
  !define AGAIN again_${__LINE__}
  ${Do}
    nsExec::ExecToStack "$\"${UPDATER}$\" --updater uninstall ${OPTIONS}"
    Pop $0
    Pop $1
    ${If} $0 == 0
      ${ExitDo}
    ${EndIf}
    !if "${OPTIONS}" == ""
      ; It cannot be started, so nobody knows which files are a release's.
      ${If} $0 == "error"
        ${ExitDo}
      ${EndIf}
    !endif
    MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "$(BUSY)" /SD IDCANCEL IDRETRY ${AGAIN}
    Delete "$INSTDIR\setup-${PROGRAM}"
    SetErrorLevel 5
    Quit
    ${AGAIN}:
  ${Loop}
  !undef AGAIN
!macroend

; Makes a shortcut to the updater. With an Application User Model ID, what is pinned to the
; taskbar while the application runs belongs to the shortcut; that this fails is no reason to stop.
!macro SHORTCUT LINK
  CreateShortcut "${LINK}" "$INSTDIR\${PROGRAM}" "" "$INSTDIR\${PROGRAM}" 0
  !ifdef APP_USER_MODEL_ID
    !insertmacro ComHlpr_CreateInProcInstance ${CLSID_ShellLink} ${IID_IShellLink} r0 ""
    ${If} $0 P<> 0
      ${IUnknown::QueryInterface} $0 '("${IID_IPersistFile}",.r1)'
      ${If} $1 P<> 0
        ${IPersistFile::Load} $1 `("${LINK}",${STGM_READWRITE})`
        ${IUnknown::QueryInterface} $0 '("${IID_IPropertyStore}",.r2)'
        ${If} $2 P<> 0
          System::Call '*${SYSSTRUCT_PROPERTYKEY}(${PKEY_AppUserModel_ID})p.r3'
          System::Call `*(&w${NSIS_MAX_STRLEN} "${APP_USER_MODEL_ID}")p.r4`
          System::Call '*${SYSSTRUCT_PROPVARIANT}(${VT_LPWSTR},,p r4)p.r5'
          ${IPropertyStore::SetValue} $2 '(r3,r5)'
          ${IPropertyStore::Commit} $2 ""
          System::Free $3
          System::Free $4
          System::Free $5
          ${IPersistFile::Save} $1 `("${LINK}",1)`
          ${IUnknown::Release} $2 ""
        ${EndIf}
        ${IUnknown::Release} $1 ""
      ${EndIf}
      ${IUnknown::Release} $0 ""
    ${EndIf}
  !endif
!macroend

Section
  SetShellVarContext current
  CreateDirectory "$INSTDIR"
  SetOutPath "$INSTDIR"
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    ; By the new updater: the one that is there may not know the command.
    File "/oname=setup-${PROGRAM}" "${SHIPPED}/${PROGRAM}"
    !insertmacro REMOVE_RELEASE "$INSTDIR\setup-${PROGRAM}" "--keep-state"
    Delete "$INSTDIR\setup-${PROGRAM}"
  ${EndIf}
  ClearErrors
  SetOverwrite try
  !include "${FILES}"
  ${If} ${Errors}
    MessageBox MB_OK|MB_ICONSTOP "$(UNWRITTEN)" /SD IDOK
    SetErrorLevel 5
    Abort
  ${EndIf}
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  !insertmacro SHORTCUT "$SMPROGRAMS\${TITLE_OF_FILES}.lnk"
  !ifdef DESKTOP_SHORTCUT
    !insertmacro SHORTCUT "$DESKTOP\${TITLE_OF_FILES}.lnk"
  !endif

  ; The updater keeps DisplayVersion current; it finds the entry by InstallLocation.
  WriteRegStr HKCU "${ENTRY}" "DisplayName" "${TITLE}"
  WriteRegStr HKCU "${ENTRY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${ENTRY}" "DisplayIcon" "$\"$INSTDIR\${PROGRAM}$\",0"
  WriteRegStr HKCU "${ENTRY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${ENTRY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${ENTRY}" "UninstallString" "$\"$INSTDIR\uninstall.exe$\""
  WriteRegStr HKCU "${ENTRY}" "QuietUninstallString" "$\"$INSTDIR\uninstall.exe$\" /S"
  !ifdef HOMEPAGE
    WriteRegStr HKCU "${ENTRY}" "URLInfoAbout" "${HOMEPAGE}"
  !endif
  WriteRegDWORD HKCU "${ENTRY}" "NoModify" 1
  WriteRegDWORD HKCU "${ENTRY}" "NoRepair" 1
  WriteRegDWORD HKCU "${ENTRY}" "EstimatedSize" ${KILOBYTES}
SectionEnd

Section Uninstall
  SetShellVarContext current
  SetOutPath "$TEMP"
  ${If} ${FileExists} "$INSTDIR\${PROGRAM}"
    !insertmacro REMOVE_RELEASE "$INSTDIR\${PROGRAM}" ""
  ${EndIf}
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "$(LEFT)" /SD IDNO IDNO keep
    RMDir /r "$INSTDIR\app"
    keep:
  ${EndIf}
  RMDir /r "$INSTDIR\.notsotuf"
  Delete "$INSTDIR\${PROGRAM}"
  Delete "$INSTDIR\notsotuf.toml"
  Delete "$INSTDIR\root.json"
  Delete "$INSTDIR\uninstall.exe"
  ; Only if nothing is left in it.
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${TITLE_OF_FILES}.lnk"
  Delete "$DESKTOP\${TITLE_OF_FILES}.lnk"
  DeleteRegKey HKCU "${ENTRY}"
SectionEnd
